//! One side's body as it is read, and the other side's as it is written.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use ::h2::{Reason, RecvStream, SendStream};
use bytes::Bytes;
use http::HeaderMap;

use super::parcel::{Parcel, Transit};

/// A body that comes in.
#[derive(Debug)]
pub(super) struct Source {
    body: RecvStream,
    pub(super) transit: Rc<Transit>,
    /// Bytes read, and how many of them the sender may send anew.
    pub(super) read: usize,
    released: usize,
}

/// What a body comes in.
#[derive(Debug)]
pub(super) enum Part {
    /// Bytes; `is_last` if nothing follows.
    Data { bytes: Bytes, is_last: bool },
    /// The end, after trailers if there are any.
    End(Option<HeaderMap>),
}

impl Source {
    pub(super) fn new(body: RecvStream) -> Self {
        Self {
            body,
            transit: Rc::default(),
            read: 0,
            released: 0,
        }
    }

    /// Whether nothing comes.
    pub(super) fn is_empty(&self) -> bool {
        self.body.is_end_stream()
    }

    /// The next part, in the order in which they came.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Part, ::h2::Error>> {
        if let Some(data) = ready!(self.body.poll_data(cx)) {
            let bytes = data?;
            self.read += bytes.len();
            let is_last = self.body.is_end_stream();
            return Poll::Ready(Ok(Part::Data { bytes, is_last }));
        }
        let trailers = ready!(self.body.poll_trailers(cx))?;
        Poll::Ready(Ok(Part::End(trailers)))
    }

    /// Lets the sender send as much anew as was written by now, of what was read up to `handed_over`. Has the task
    /// woken when more is written, unless the body `is_over`.
    pub(super) fn release(&mut self, cx: &Context<'_>, handed_over: usize, is_over: bool) {
        let unwritten = self.transit.unwritten();
        if let Some(count @ 1..) = (handed_over - unwritten).checked_sub(self.released) {
            // A stream that has ended needs no window.
            let _ = self.body.flow_control().release_capacity(count);
            self.released += count;
        }
        match is_over || self.body.is_end_stream() {
            true => self.transit.forget(),
            false if unwritten > 0 => self.transit.watch(cx),
            false => {}
        }
    }
}

/// Sends as much of `bytes` as the other side has room for; ready when none are left, or when it takes no more.
pub(super) fn poll_send(
    cx: &mut Context<'_>,
    bytes: &mut Bytes,
    transit: Option<&Rc<Transit>>,
    is_last: bool,
    to: &mut SendStream<Parcel>,
) -> Poll<Result<(), ::h2::Error>> {
    while !bytes.is_empty() {
        to.reserve_capacity(bytes.len());
        let room = to.capacity();
        if room == 0 {
            match ready!(to.poll_capacity(cx)) {
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Err(Reason::STREAM_CLOSED.into())),
            }
        }
        let part = bytes.split_to(room.min(bytes.len()));
        let is_last = is_last && bytes.is_empty();
        to.send_data(Parcel::new(part, transit), is_last)?;
    }
    Poll::Ready(Ok(()))
}

/// Ends a body, with trailers if there are any.
pub(super) fn end(
    trailers: Option<HeaderMap>,
    to: &mut SendStream<Parcel>,
) -> Result<(), ::h2::Error> {
    match trailers {
        Some(trailers) => to.send_trailers(trailers),
        None => to.send_data(Parcel::free(Bytes::new()), true),
    }
}
