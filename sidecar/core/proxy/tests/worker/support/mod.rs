//! A worker with real sockets, upstreams that do as a test says, and clients that say what they see.
#![allow(dead_code, reason = "each test program uses its part")]

pub(crate) mod build;
pub(crate) mod client;
pub(crate) mod full;
pub(crate) mod upstream;
pub(crate) mod worker;

use std::time::Duration;

pub(crate) use client::Client;
pub(crate) use upstream::Upstream;
pub(crate) use worker::Running;

/// How long anything may take that should happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for what should happen.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it should have happened by now")
}

/// Waits until `holds` does.
pub(crate) async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    soon(async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}
