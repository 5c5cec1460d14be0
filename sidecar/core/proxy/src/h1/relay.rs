//! A response's body on its way to the client, as fast as the slower side goes.

use std::task::{Context, Poll, ready};

use http1::{BodyDecoder, Framing, Step, end_chunks};

use super::upload::push_chunk;
use crate::stages::rate_limit::throttle::{self, Throttle};
use crate::wire::{Memory, Wire};

/// One body.
#[derive(Debug)]
pub(super) struct Relay {
    decoder: BodyDecoder,
    /// How it is framed towards the client.
    towards: Framing,
    /// Bytes of body passed on.
    pub(super) bytes: u64,
    /// Whether the first of the body, which goes out together with the head, was looked for.
    has_begun: bool,
    is_done: bool,
    /// Whether the upstream sent more than the body.
    pub(super) has_surplus: bool,
    /// Whether the client does not take what waits for it.
    pub(super) is_blocked: bool,
    /// Whether anything moved since this was last cleared.
    pub(super) has_moved: bool,
    /// What holds it up.
    throttle: Option<Box<Throttle>>,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RelayEnd {
    Complete,
    /// The upstream ended it early, or broke its framing.
    Truncated,
    ClientLeft,
}

impl Relay {
    pub(super) const fn new(
        decoder: BodyDecoder,
        towards: Framing,
        throttle: Option<Box<Throttle>>,
    ) -> Self {
        Self {
            decoder,
            towards,
            bytes: 0,
            has_begun: false,
            is_done: false,
            has_surplus: false,
            is_blocked: false,
            has_moved: false,
            throttle,
        }
    }

    /// Passes on what comes, until all is sent.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        peer: &mut Wire,
        client: &mut Wire,
        memory: &Memory,
    ) -> Poll<RelayEnd> {
        loop {
            if !self.is_done && self.decoder.is_done() && self.end(client).is_err() {
                return Poll::Ready(RelayEnd::ClientLeft);
            }
            let is_first = !std::mem::replace(&mut self.has_begun, true);
            if !(is_first && !self.is_done && peer.has_input()) {
                let flushed = client.poll_flush(cx);
                self.is_blocked = flushed.is_pending();
                if ready!(flushed).is_err() {
                    return Poll::Ready(RelayEnd::ClientLeft);
                }
            }
            if self.is_done {
                return Poll::Ready(RelayEnd::Complete);
            }
            let most = ready!(throttle::poll(&mut self.throttle, cx));
            let before = self.bytes;
            let fed = ready!(peer.poll_some(cx, memory, most, |bytes| self.feed(bytes, client)));
            throttle::spend(&mut self.throttle, self.bytes - before);
            match fed {
                Ok(Ok(())) => self.has_moved = true,
                Ok(Err(end)) => return Poll::Ready(end),
                Err(_) => return Poll::Ready(RelayEnd::Truncated),
            }
        }
    }

    fn feed(&mut self, bytes: &[u8], client: &mut Wire) -> (usize, Result<(), RelayEnd>) {
        if bytes.is_empty() {
            return (0, self.close(client));
        }
        let mut at = 0;
        while !self.is_done {
            match self.decoder.decode(&bytes[at..]) {
                Ok(Step::Data(range)) => {
                    let data = &bytes[at..][range.clone()];
                    at += range.end;
                    if self.pass_on(data, client).is_err() {
                        return (at, Err(RelayEnd::ClientLeft));
                    }
                    if self.decoder.is_done() {
                        break;
                    }
                }
                Ok(Step::NeedMore) => break,
                Ok(Step::Done(used)) => {
                    at += used;
                    break;
                }
                Err(_) => {
                    // What was good goes out, so that the client sees where the answer broke.
                    let _ = client.write(&[]);
                    return (at, Err(RelayEnd::Truncated));
                }
            }
        }
        self.has_surplus = self.decoder.is_done() && at < bytes.len();
        let sent = if self.decoder.is_done() {
            self.end(client)
        } else {
            client.write(&[])
        };
        (bytes.len(), sent.map_err(|_| RelayEnd::ClientLeft))
    }

    fn pass_on(&mut self, data: &[u8], client: &mut Wire) -> std::io::Result<()> {
        self.bytes += data.len() as u64;
        if self.towards == Framing::Chunked {
            push_chunk(data, &mut client.output);
            return Ok(());
        }
        client.write(data)
    }

    /// The upstream closed: the end of a body that only closing ends.
    fn close(&mut self, client: &mut Wire) -> Result<(), RelayEnd> {
        self.decoder.close().map_err(|_| RelayEnd::Truncated)?;
        self.end(client).map_err(|_| RelayEnd::ClientLeft)
    }

    fn end(&mut self, client: &mut Wire) -> std::io::Result<()> {
        if self.towards == Framing::Chunked && !self.is_done {
            end_chunks(self.decoder.trailers(), &mut client.output);
        }
        self.is_done = true;
        client.write(&[])
    }
}
