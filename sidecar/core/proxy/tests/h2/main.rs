//! HTTP/2 through a worker: real sockets, an upstream that does as a test says, and a client that says what it sees.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it cannot go on"
)]

mod cancelling;
mod connections;
mod deadlines;
mod floods;
mod hedges;
mod peers;
mod retries;
mod stages;
mod statuses;
mod streaming;
#[path = "../worker/support/mod.rs"]
mod support;
mod unary;
