//! A request's body on its way upstream, kept as long as it may have to be sent again.

use std::task::{Context, Poll, ready};

use ::h2::{RecvStream, SendStream};
use bytes::Bytes;
use http::HeaderMap;

use super::body::{Part, Source, end, poll_send};
use super::parcel::Parcel;
use super::view::{Draft, clean_trailers};
use crate::request::Edit;
use crate::stages::mirror::Kept;
use crate::stages::rate_limit::throttle::{self, Throttle};

/// One body, over all attempts.
#[derive(Debug)]
pub(super) struct Upload {
    source: Source,
    trailers: Option<HeaderMap>,
    /// Whether all of it came.
    is_read: bool,
    /// What came so far, as long as it may be sent again, and how much of that this attempt has taken.
    kept: Option<Vec<Bytes>>,
    taken: usize,
    most_kept: u64,
    /// Waiting for room; charged to the client if this is the first time that it is sent.
    held: Bytes,
    is_first: bool,
    /// Whether some attempt was begun.
    is_begun: bool,
    /// Whether all of it was handed to this attempt's stream.
    is_sent: bool,
    /// Whether this attempt's stream takes no more.
    is_refused: bool,
    /// What holds it up.
    pub(super) throttle: Option<Box<Throttle>>,
}

/// The client left, or broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientLeft;

impl Upload {
    pub(super) fn new(body: RecvStream) -> Self {
        let source = Source::new(body);
        Self {
            is_read: source.is_empty(),
            source,
            trailers: None,
            kept: None,
            taken: 0,
            most_kept: 0,
            held: Bytes::new(),
            is_first: true,
            is_begun: false,
            is_sent: false,
            is_refused: false,
            throttle: None,
        }
    }

    /// Keeps at most so many bytes to be sent again, from the first one on; later it is too late.
    pub(super) fn keep(&mut self, most: u64) {
        if !self.is_begun {
            self.most_kept = most;
            self.kept = (most > 0 && !self.is_read).then(Vec::new);
        }
    }

    /// Whether another attempt would get all of it.
    pub(super) const fn can_begin_again(&self) -> bool {
        !self.is_begun || self.is_empty() || self.kept.is_some()
    }

    /// Bytes that came.
    pub(super) const fn seen(&self) -> u64 {
        self.source.read as u64
    }

    /// Whether nothing but the client holds it up.
    pub(super) fn awaits_client(&self) -> bool {
        !self.is_read && !self.is_refused && self.held.is_empty()
    }

    /// Whether there is none, so that the head is all of the request.
    pub(super) const fn is_empty(&self) -> bool {
        self.is_read && self.source.read == 0 && self.trailers.is_none()
    }

    /// All of the body, for a copy that may have so many bytes of it.
    pub(super) fn kept(&self, most: u64) -> Kept<(&[Bytes], Option<&HeaderMap>)> {
        let body = self.kept.as_deref().unwrap_or_default();
        match &self.kept {
            _ if self.seen() > most => Kept::TooLong,
            None if self.seen() > 0 => Kept::TooLong,
            _ if self.is_read => Kept::Whole((body, self.trailers.as_ref())),
            _ => Kept::Coming,
        }
    }

    /// Begins an attempt: what came so far is sent again.
    pub(super) fn begin(&mut self) {
        self.is_begun = true;
        (self.taken, self.held) = (0, Bytes::new());
        (self.is_sent, self.is_refused) = (self.is_empty(), false);
    }

    /// Passes on what comes, until the end of the body or of the upstream's patience.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut SendStream<Parcel>,
    ) -> Poll<Result<(), ClientLeft>> {
        let polled = self.poll_all(cx, to);
        let held = if self.is_first { self.held.len() } else { 0 };
        let is_over = self.is_sent || self.is_refused;
        self.source.release(cx, self.source.read - held, is_over);
        polled
    }

    fn poll_all(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut SendStream<Parcel>,
    ) -> Poll<Result<(), ClientLeft>> {
        while !self.is_sent && !self.is_refused {
            let is_last = self.is_read && self.trailers.is_none() && !self.has_kept();
            let transit = self.is_first.then_some(&self.source.transit);
            let is_end = is_last && !self.held.is_empty();
            match ready!(poll_send(cx, &mut self.held, transit, is_last, to)) {
                Ok(()) if is_end => self.is_sent = true,
                Ok(()) => ready!(self.poll_next(cx, to))?,
                Err(_) => self.is_refused = true,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what is to be sent next, or ends the body.
    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut SendStream<Parcel>,
    ) -> Poll<Result<(), ClientLeft>> {
        let kept = self.kept.as_ref().and_then(|kept| kept.get(self.taken));
        if let Some(kept) = kept {
            (self.held, self.is_first) = (kept.clone(), false);
            self.taken += 1;
        } else if self.is_read {
            self.is_sent = true;
            self.is_refused = end(self.trailers.clone(), to).is_err();
        } else {
            self.held = ready!(self.poll_read(cx))?;
            self.is_first = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether something that was kept has yet to be sent in this attempt.
    fn has_kept(&self) -> bool {
        self.kept
            .as_ref()
            .is_some_and(|kept| self.taken < kept.len())
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, ClientLeft>> {
        ready!(throttle::poll(&mut self.throttle, cx));
        match ready!(self.source.poll(cx)) {
            Ok(Part::Data { bytes, is_last }) => {
                throttle::spend(&mut self.throttle, bytes.len() as u64);
                self.is_read = is_last;
                self.keep_part(&bytes);
                Poll::Ready(Ok(bytes))
            }
            Ok(Part::End(trailers)) => {
                self.is_read = true;
                self.trailers = trailers.map(cleaned);
                Poll::Ready(Ok(Bytes::new()))
            }
            Err(_) => Poll::Ready(Err(ClientLeft)),
        }
    }

    fn keep_part(&mut self, bytes: &Bytes) {
        if self.seen() > self.most_kept {
            self.kept = None;
        } else if let Some(kept) = &mut self.kept {
            kept.push(bytes.clone());
            self.taken = kept.len();
        }
    }
}

fn cleaned(mut trailers: HeaderMap) -> HeaderMap {
    clean_trailers(&mut trailers);
    Draft(&mut trailers).remove_internal();
    trailers
}
