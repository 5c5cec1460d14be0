//! Second attempts beside slow ones: streams of connections, the loser reset.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use h2::Reason;
use policy::hedge::After;
use proxy::config::{Cluster, Hedge};

use crate::peers::{Caller, Upstream};
use crate::support::build::{block, breaker, budget, cluster, config};
use crate::support::{Running, until};

/// Holds the first call of all until it is reset, and answers the others.
async fn holding_first(seen: &Arc<AtomicUsize>) -> Upstream {
    let seen = Arc::clone(seen);
    Upstream::scripted(move |mut call| {
        let seen = Arc::clone(&seen);
        async move {
            match seen.fetch_add(1, Ordering::SeqCst) {
                0 => call.reset().await,
                _ => call.answer_bare(&[("x-from", "second")]),
            }
        }
    })
    .await
}

fn hedged(upstreams: &[&Upstream]) -> Cluster {
    let addresses: Vec<_> = upstreams.iter().map(|upstream| upstream.address).collect();
    let mut cluster = cluster(&addresses);
    cluster.hedge = block(Hedge {
        after: After::Fixed(20_000_000),
        budget: budget(1_000),
    });
    cluster.endpoint_breaker = block(breaker(1, Duration::from_secs(60)));
    cluster
}

#[tokio::test]
async fn the_stream_of_the_slow_attempt_is_reset() {
    let seen = Arc::default();
    let (one, other) = (holding_first(&seen).await, holding_first(&seen).await);
    let running = Running::with(config(hedged(&[&one, &other]))).await;
    let answer = Caller::connect(running.outbound()).await.get("/").await;
    assert_eq!(
        (answer.status, answer.field("breakwater-attempts")),
        (200, Some("2"))
    );
    assert_eq!([one.calls(), other.calls()], [1, 1]);
    until(|| async { [one.resets(), other.resets()].concat() == [Reason::CANCEL] }).await;
    assert_eq!(
        running.metric("breakwater_hedges_total", &["won"]).await,
        1.0
    );
}

#[tokio::test]
async fn both_attempts_may_share_a_connection() {
    let upstream = holding_first(&Arc::default()).await;
    let running = Running::with(config(hedged(&[&upstream]))).await;
    let caller = Caller::connect(running.outbound()).await;
    assert_eq!(caller.get("/").await.status, 200);
    assert_eq!((upstream.calls(), upstream.connections_seen()), (2, 1));
    until(|| async { upstream.resets() == [Reason::CANCEL] }).await;
    assert_eq!(caller.get("/").await.field("breakwater-attempts"), None);
}

#[tokio::test]
async fn a_grpc_call_is_never_hedged() {
    let upstream = Upstream::scripted(|mut call| async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        call.read().await;
        call.answer("0", "answer");
    })
    .await;
    let running = Running::with(config(hedged(&[&upstream]))).await;
    let caller = Caller::connect(running.outbound()).await;
    assert_eq!(caller.grpc().await.grpc_status(), Some("0"));
    assert_eq!(upstream.calls(), 1);
}
