//! A worker as others meet it: real sockets on both sides, configurations, and what came of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it cannot go on"
)]

mod forward;
mod support;
