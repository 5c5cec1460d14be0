//! HTTP/1.1, both sides: requests read from a client's connection one after the other, each sent on over a connection
//! of a pool, bodies passed through with the pressure of whoever is slower.

mod answer;
mod client;
mod connect;
mod forward;
mod kit;
mod mirror;
mod peer;
mod pool;
mod relay;
mod upload;
mod view;

pub(crate) use client::Client;
pub(crate) use kit::Kits;
pub(crate) use pool::Pool;

use http1::Limits;

/// Time for a head, from its first byte on.
const HEAD_NS: u64 = 10_000_000_000;
/// Time between two requests for which a connection keeps the memory that serving takes.
const PAUSE_NS: u64 = 1_000_000_000;
/// Time that a client's connection may rest between requests.
const REST_NS: u64 = 300_000_000_000;
/// Time that a client may neither take nor send a byte that is waited for.
const STALL_NS: u64 = 60_000_000_000;
/// Bytes of a body, or of later requests, that are read ahead while a request waits or is under way.
const AHEAD_BYTES: usize = 64 * 1024;
/// Bytes read at once while a head is expected.
const HEAD_READ_BYTES: usize = 16 * 1024;

/// What peers may send.
fn limits() -> Limits {
    Limits::default()
}
