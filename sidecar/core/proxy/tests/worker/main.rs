//! A worker as others meet it: real sockets on both sides, configurations, and what came of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it cannot go on"
)]

mod admissions;
mod backpressure;
mod bodies;
mod breakers;
mod bulkheads;
mod checks;
mod deadlines;
mod forward;
mod hedges;
mod lifecycle;
mod limits;
mod lines;
mod measures;
mod peers;
mod retries;
mod routes;
mod spans;
mod support;
mod tunnels;
