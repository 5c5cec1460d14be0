//! The agent against a control plane that a test plays: real sockets, one process.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on ends"
)]

mod bootstrap;
mod demands;
mod discovery;
mod failover;
mod streams;
mod support;
