//! A response's body on its way to the client, as fast as the slower side goes.

use std::task::{Context, Poll, ready};

use ::h2::{RecvStream, SendStream};
use bytes::Bytes;
use http::HeaderMap;
use policy::Reason;

use super::body::{Part, Source, end, poll_send};
use super::parcel::Parcel;
use crate::stages::rate_limit::throttle::{self, Throttle};

/// One body.
#[derive(Debug)]
pub(super) struct Relay {
    source: Source,
    /// Read, and waiting for room.
    held: Bytes,
    is_last: bool,
    /// Whether the client does not take what waits for it.
    pub(super) is_blocked: bool,
    /// Whether anything moved since this was last cleared.
    pub(super) has_moved: bool,
    /// What holds it up.
    throttle: Option<Box<Throttle>>,
}

/// How a body ended.
#[derive(Debug)]
pub(super) enum BodyEnd {
    /// With its last byte, which was passed on as such.
    Complete,
    /// With these trailers, which are to be passed on.
    Trailers(HeaderMap),
    /// The upstream ended it early.
    Truncated,
    ClientLeft,
    /// It was out of time, for this reason.
    TimedOut(Reason),
}

impl Relay {
    pub(super) fn new(body: RecvStream, throttle: Option<Box<Throttle>>) -> Self {
        Self {
            source: Source::new(body),
            held: Bytes::new(),
            is_last: false,
            is_blocked: false,
            has_moved: false,
            throttle,
        }
    }

    /// Bytes passed on.
    pub(super) fn bytes(&self) -> u64 {
        self.source.read as u64 - self.held.len() as u64
    }

    /// Passes on what comes, until all is handed over.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut SendStream<Parcel>,
    ) -> Poll<BodyEnd> {
        let polled = self.poll_all(cx, to);
        let handed_over = self.source.read - self.held.len();
        self.source.release(cx, handed_over, polled.is_ready());
        polled
    }

    fn poll_all(&mut self, cx: &mut Context<'_>, to: &mut SendStream<Parcel>) -> Poll<BodyEnd> {
        loop {
            let before = self.held.len();
            let transit = Some(&self.source.transit);
            let sent = poll_send(cx, &mut self.held, transit, self.is_last, to);
            self.is_blocked = sent.is_pending();
            self.has_moved |= self.held.len() < before;
            if ready!(sent).is_err() {
                return Poll::Ready(BodyEnd::ClientLeft);
            }
            if self.is_last {
                return Poll::Ready(BodyEnd::Complete);
            }
            ready!(throttle::poll(&mut self.throttle, cx));
            let part = ready!(self.source.poll(cx));
            self.has_moved = true;
            match part {
                Ok(Part::Data { bytes, is_last }) => {
                    throttle::spend(&mut self.throttle, bytes.len() as u64);
                    (self.held, self.is_last) = (bytes, is_last);
                    if is_last && self.held.is_empty() {
                        return Poll::Ready(finish(to));
                    }
                }
                Ok(Part::End(None)) => return Poll::Ready(finish(to)),
                Ok(Part::End(Some(trailers))) => return Poll::Ready(BodyEnd::Trailers(trailers)),
                Err(_) => return Poll::Ready(BodyEnd::Truncated),
            }
        }
    }
}

fn finish(to: &mut SendStream<Parcel>) -> BodyEnd {
    match end(None, to) {
        Ok(()) => BodyEnd::Complete,
        Err(_) => BodyEnd::ClientLeft,
    }
}
