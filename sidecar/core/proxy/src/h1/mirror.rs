//! A copy of a request over HTTP/1.1: sent whole, its answer read and thrown away.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http1::{Asked, BodyDecoder, ResponseHead, Step};

use super::connect::connect;
use super::limits;
use super::peer::Peer;
use crate::exchange::Destination;
use crate::stages::mirror::{Duplicate, Lost};
use crate::wire::{Memory, Wire};
use crate::worker::Worker;

/// Bytes of an answer that are read, so that its connection can be used again.
const MOST_READ: usize = 64 * 1024;

/// A request as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    pub(super) asked: Asked,
    /// Head and body.
    pub(super) bytes: Rc<[u8]>,
    pub(super) body_bytes: u64,
}

impl Duplicate for Copy {
    fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    async fn send(self, worker: &Rc<Worker>, to: &Destination) -> Result<(), Lost> {
        let (mut place, now_ns) = (None, worker.clock.now_ns());
        let connected = connect(worker, &mut place, to, false, now_ns).await;
        let mut peer = connected.map_err(|_| Lost)?;
        peer.expect(self.asked);
        peer.wire.reserve_output(&worker.memory);
        peer.wire.output.extend_from_slice(&self.bytes);
        let mut head = ResponseHead::default();
        let polled = |cx: &mut Context<'_>| poll_head(cx, &mut peer, &worker.memory, &mut head);
        let head_len = std::future::poll_fn(polled).await?;
        let mut body = BodyDecoder::new(head.framing, &peer.wire.input, &head.fields, &limits());
        peer.wire.consume(head_len);
        let (wire, mut left) = (&mut peer.wire, MOST_READ);
        let polled =
            |cx: &mut Context<'_>| poll_rest(cx, wire, &mut body, &worker.memory, &mut left);
        let is_whole = std::future::poll_fn(polled).await;
        let is_idle = peer.wire.input.is_empty() && peer.wire.output.is_empty();
        if is_whole && head.keep_alive && is_idle {
            peer.rest(&worker.memory, worker.clock.now_ns());
        }
        Ok(())
    }
}

/// Sends what waits, and reads until the final head is whole; how long that is.
fn poll_head(
    cx: &mut Context<'_>,
    peer: &mut Peer,
    memory: &Memory,
    head: &mut ResponseHead,
) -> Poll<Result<usize, Lost>> {
    // What an upstream does not take, it may answer all the same.
    let _ = peer.wire.poll_flush(cx);
    loop {
        let len = ready!(peer.poll_head(cx, memory, head)).map_err(|_| Lost)?;
        if !head.is_interim() {
            return Poll::Ready(Ok(len));
        }
        peer.wire.consume(len);
    }
}

/// Reads the answer's body; ready at its end or when enough of it was read, with whether it was all.
fn poll_rest(
    cx: &mut Context<'_>,
    wire: &mut Wire,
    body: &mut BodyDecoder,
    memory: &Memory,
    left: &mut usize,
) -> Poll<bool> {
    while !body.is_done() {
        let read = ready!(wire.poll_some(cx, memory, *left, |bytes| skip(body, bytes)));
        match read {
            Ok(Some(used)) if used < *left => *left -= used,
            _ => return Poll::Ready(false),
        }
    }
    Poll::Ready(true)
}

/// Passes over a body; how much of `bytes` it was, and nothing if it ended early or is broken.
fn skip(body: &mut BodyDecoder, bytes: &[u8]) -> (usize, Option<usize>) {
    let mut at = 0;
    while !body.is_done() {
        match body.decode(&bytes[at..]) {
            Ok(Step::Data(range)) => at += range.end,
            Ok(Step::Done(used)) => at += used,
            Ok(Step::NeedMore) if !bytes.is_empty() => return (bytes.len(), Some(bytes.len())),
            Ok(Step::NeedMore) | Err(_) => return (at, None),
        }
    }
    (at, Some(at))
}
