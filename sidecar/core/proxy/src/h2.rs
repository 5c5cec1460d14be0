//! HTTP/2 in clear text with prior knowledge, both sides: streams of a client's connection, each an exchange of its
//! own, sent on over streams of connections to upstreams.
//!
//! Frames, flow control and header compression are the `h2` crate's. A connection is one task, and each stream of a
//! client's connection another; they belong to one event loop, so what the streams of a turn write leaves in one
//! flush when their connection's turn comes. A byte of a body is charged to the window of whoever sent it until it is
//! written to the other side's socket: no stream ever holds more than its window.

mod answer;
mod attempt;
mod body;
mod check;
mod client;
mod connect;
mod deliver;
mod failure;
mod forward;
mod hedge;
mod io;
mod link;
mod mirror;
mod parcel;
mod patience;
mod pool;
mod pulse;
mod relay;
mod server;
mod session;
mod upload;
mod view;
mod window;

pub(crate) use pool::Pool;
pub(crate) use server::serve;

use std::time::Duration;

use ::h2::{client as upstream, server as downstream};

/// Bytes of body that a stream may have on its way.
const STREAM_WINDOW: u32 = 64 * 1024 - 1;
/// The same of all streams of a connection, while they are few.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes that a stream may have written and not sent.
const SEND_BUFFER: usize = 64 * 1024;
/// Bytes of decoded fields in one head, with 32 more for each (RFC 9113 6.5.2).
const HEADER_LIST: u32 = 16 * 1024;
/// The same of a request's head that is read to its end, so that whoever sent more than it may is told why it is refused.
/// What is longer still is refused by the library, without a word.
const HEADER_LIST_READ: u32 = 2 * HEADER_LIST;
/// Fields in one head, every crumb of a cookie counted.
const MOST_FIELDS: usize = 100;
/// Streams that a client may have open on one connection.
const CLIENT_STREAMS: u32 = 250;
/// Streams open on one connection to an upstream, unless it allows fewer.
const UPSTREAM_STREAMS: usize = 250;
/// The same before the upstream has said how many it allows.
const FIRST_STREAMS: usize = 100;
/// Streams that were reset before they were looked at.
const RESETS_UNSEEN: usize = 20;
/// Streams that are remembered after they were reset, and for how long.
const RESETS_KEPT: usize = 50;
const RESETS_KEPT_FOR: Duration = Duration::from_secs(1);
/// Streams that had to be reset because the peer broke the protocol.
const FAULTS: usize = 100;
/// Time that a client's connection may rest without a stream.
const REST_NS: u64 = 300_000_000_000;
/// Time that a client may take to leave once it was asked to.
const LEAVE_NS: u64 = 10_000_000_000;
/// Time that a client may neither take nor send a byte that is waited for.
const STALL_NS: u64 = 60_000_000_000;

/// How clients are served.
fn server() -> downstream::Builder {
    let mut builder = downstream::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(HEADER_LIST_READ)
        .max_concurrent_streams(CLIENT_STREAMS)
        .max_pending_accept_reset_streams(RESETS_UNSEEN)
        .max_concurrent_reset_streams(RESETS_KEPT)
        .reset_stream_duration(RESETS_KEPT_FOR)
        .max_local_error_reset_streams(Some(FAULTS));
    builder
}

/// How upstreams are called.
fn caller() -> upstream::Builder {
    let mut builder = upstream::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(HEADER_LIST)
        .initial_max_send_streams(FIRST_STREAMS)
        .max_concurrent_reset_streams(RESETS_KEPT)
        .reset_stream_duration(RESETS_KEPT_FOR)
        .max_local_error_reset_streams(Some(FAULTS));
    builder
}
