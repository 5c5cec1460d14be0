//! A request's body on its way upstream, kept as long as it may have to be sent again.

use std::task::{Context, Poll, ready};

use http1::{BodyDecoder, CHUNK_END, Cause, ChunkSize, Framing, RequestHead, Step, end_chunks};

use super::limits;
use crate::stages::mirror::Kept;
use crate::stages::rate_limit::throttle::{self, Throttle};
use crate::wire::{Memory, Wire};

/// One body, over all attempts.
#[derive(Debug)]
pub(super) struct Upload {
    framing: Framing,
    decoder: BodyDecoder,
    /// What came so far, as long as it may be sent again.
    replay: Option<Vec<u8>>,
    most_replayed: u64,
    /// Bytes of body that came.
    pub(super) seen: u64,
    /// Whether all of it came.
    is_read: bool,
    /// Whether all of it was handed to this attempt's connection.
    is_sent: bool,
    /// Whether this attempt's connection takes no more.
    is_refused: bool,
    /// Whether some attempt was begun.
    pub(super) is_begun: bool,
    /// Whether the first of the body, which goes out together with the head, was looked for.
    has_begun: bool,
    /// What holds it up.
    pub(super) throttle: Option<Box<Throttle>>,
}

/// Why the body does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoBody {
    ClientLeft,
    Malformed(Cause),
}

impl Upload {
    /// The body of a request; at most `most_replayed` bytes of it are kept.
    pub(super) fn new(
        head: &RequestHead,
        bytes: &[u8],
        most_replayed: u64,
        memory: &Memory,
    ) -> Self {
        let framing = head.framing;
        let is_empty = matches!(framing, Framing::None | Framing::Length(0));
        let may_fit = match framing {
            Framing::Length(length) => length <= most_replayed,
            _ => most_replayed > 0,
        };
        Self {
            framing,
            decoder: BodyDecoder::new(framing, bytes, &head.fields, &limits()),
            replay: (may_fit && !is_empty).then(|| memory.take()),
            most_replayed,
            seen: 0,
            is_read: is_empty,
            is_sent: false,
            is_refused: false,
            is_begun: false,
            has_begun: false,
            throttle: None,
        }
    }

    /// How long the body is, as far as known by now.
    pub(super) const fn length(&self) -> u64 {
        match self.framing {
            Framing::Length(length) => length,
            _ => self.seen,
        }
    }

    /// Whether there is none, so that the head is all of the request.
    pub(super) const fn is_empty(&self) -> bool {
        matches!(self.framing, Framing::None | Framing::Length(0))
    }

    /// Whether the client has nothing more to send.
    pub(super) const fn is_read(&self) -> bool {
        self.is_read
    }

    /// Whether nothing more goes to this attempt's connection.
    pub(super) const fn is_over(&self) -> bool {
        self.is_sent || self.is_refused
    }

    /// Whether this attempt's connection got the whole request.
    pub(super) const fn is_whole(&self) -> bool {
        self.is_sent
    }

    /// Whether another attempt would get all of it.
    pub(super) const fn can_begin_again(&self) -> bool {
        !self.is_begun || self.is_empty() || self.replay.is_some()
    }

    /// All of the body, for a copy that may have so many bytes of it.
    pub(super) fn kept(&self, most: u64) -> Kept<&[u8]> {
        let body = self.replay.as_deref().unwrap_or_default();
        match &self.replay {
            _ if self.seen > most => Kept::TooLong,
            None if !self.is_empty() => Kept::TooLong,
            _ if self.is_read => Kept::Whole(body),
            _ => Kept::Coming,
        }
    }

    /// How many bytes the client has yet to send, if it said.
    pub(super) const fn unread(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(length) => Some(length - self.seen),
            _ if self.is_read => Some(0),
            _ => None,
        }
    }

    /// Begins an attempt, after its head: sends again what came so far.
    pub(super) fn begin(&mut self, peer: &mut Wire) {
        self.is_begun = true;
        (self.is_sent, self.is_refused, self.has_begun) = (false, false, false);
        if let Some(replay) = self.replay.take() {
            self.send(&replay, peer);
            self.replay = Some(replay);
        }
        if self.is_read {
            self.end(peer);
        }
    }

    /// Passes on what comes, until the end of the body or of the upstream's patience.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Wire,
        peer: &mut Wire,
        memory: &Memory,
    ) -> Poll<Result<(), NoBody>> {
        while !self.is_over() {
            let is_first = !std::mem::replace(&mut self.has_begun, true);
            if !(is_first && client.has_input()) && ready!(peer.poll_flush(cx)).is_err() {
                self.is_refused = true;
                break;
            }
            let most = ready!(throttle::poll(&mut self.throttle, cx));
            let before = self.seen;
            let read = ready!(client.poll_some(cx, memory, most, |bytes| self.feed(bytes, peer)));
            throttle::spend(&mut self.throttle, self.seen - before);
            match read {
                Ok(fed) => fed?,
                Err(_) => return Poll::Ready(Err(NoBody::ClientLeft)),
            }
        }
        // What the upstream takes no more of, it need not be sent.
        if !self.is_refused && ready!(peer.poll_flush(cx)).is_err() {
            self.is_refused = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads on and throws away, once nobody wants the body any more.
    pub(super) fn poll_discard(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Wire,
        memory: &Memory,
    ) -> Poll<Result<(), NoBody>> {
        self.replay = None;
        while !self.is_read {
            match ready!(client.poll_input(cx, memory, |bytes| self.decode(bytes, |_| {}))) {
                Ok(fed) => fed?,
                Err(_) => return Poll::Ready(Err(NoBody::ClientLeft)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn feed(&mut self, bytes: &[u8], peer: &mut Wire) -> (usize, Result<(), NoBody>) {
        let framing = self.framing;
        let mut is_refused = false;
        let fed = self.decode(bytes, |data| is_refused |= !pass_on(framing, data, peer));
        if self.is_read {
            self.end(peer);
        } else if peer.write(&[]).is_err() {
            is_refused = true;
        }
        self.is_refused |= is_refused;
        fed
    }

    /// Takes the body out of `bytes`; how much of them it was.
    fn decode(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> (usize, Result<(), NoBody>) {
        if bytes.is_empty() {
            return (0, Err(NoBody::ClientLeft));
        }
        let mut at = 0;
        while !self.is_read {
            match self.decoder.decode(&bytes[at..]) {
                Ok(Step::Data(range)) => {
                    let data = &bytes[at..][range.clone()];
                    at += range.end;
                    self.keep(data);
                    each(data);
                    self.is_read = self.decoder.is_done();
                }
                Ok(Step::NeedMore) => return (bytes.len(), Ok(())),
                Ok(Step::Done(used)) => {
                    at += used;
                    self.is_read = true;
                }
                Err(cause) => return (at, Err(NoBody::Malformed(cause))),
            }
        }
        (at, Ok(()))
    }

    fn keep(&mut self, data: &[u8]) {
        self.seen += data.len() as u64;
        if self.seen > self.most_replayed {
            self.replay = None;
        } else if let Some(replay) = &mut self.replay {
            replay.extend_from_slice(data);
        }
    }

    fn send(&mut self, data: &[u8], peer: &mut Wire) {
        if !data.is_empty() && !pass_on(self.framing, data, peer) {
            self.is_refused = true;
        }
    }

    /// Ends the body upstream, and sends what waits.
    fn end(&mut self, peer: &mut Wire) {
        if self.framing == Framing::Chunked {
            end_chunks(self.decoder.trailers(), &mut peer.output);
        }
        self.is_sent = true;
        self.is_refused |= peer.write(&[]).is_err();
    }
}

/// Writes data in its framing; false when the connection takes no more. Chunks wait for the end of what was read.
fn pass_on(framing: Framing, data: &[u8], wire: &mut Wire) -> bool {
    if framing != Framing::Chunked {
        return wire.write(data).is_ok();
    }
    push_chunk(data, &mut wire.output);
    true
}

/// Appends one chunk.
pub(super) fn push_chunk(data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(ChunkSize::new(data.len()).as_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(CHUNK_END);
}
