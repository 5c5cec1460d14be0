//! An attempt over HTTP/2: the request sent on, and what came back.

use std::task::{Context, Poll};

use ::h2::client::{ResponseFuture, SendRequest};
use ::h2::{RecvStream, SendStream};
use http::Request;
use http::request::Parts;
use http::response::Parts as ResponseParts;
use policy::ending::Ending;

use super::failure;
use super::parcel::Parcel;
use super::pool::Slot;
use super::upload::{ClientLeft, Upload};
use crate::series::{Gone, Unanswered};

/// A stream to an upstream that carries a request.
#[derive(Debug)]
pub(super) struct Attempt {
    response: ResponseFuture,
    request: SendStream<Parcel>,
    pub(super) slot: Slot,
}

/// An answer whose body is to come.
#[derive(Debug)]
pub(in crate::h2) struct Answered {
    pub(super) head: ResponseParts,
    pub(super) body: RecvStream,
    /// Where the rest of the request goes.
    pub(super) request: SendStream<Parcel>,
    pub(super) slot: Slot,
}

impl Attempt {
    /// Sends a request's head; `is_whole` if nothing follows it.
    pub(super) fn begin(
        head: Parts,
        is_whole: bool,
        mut send: SendRequest<Parcel>,
        slot: Slot,
    ) -> Result<Self, (Unanswered, Slot)> {
        let sent = send.send_request(Request::from_parts(head, ()), is_whole);
        match sent {
            Ok((response, request)) => Ok(Self {
                response,
                request,
                slot,
            }),
            Err(error) => Err((failed(&error, &slot), slot)),
        }
    }

    /// Passes the body on, and waits for the head of the answer.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        upload: &mut Upload,
    ) -> Poll<Result<(ResponseParts, RecvStream), Unanswered>> {
        if let Poll::Ready(Err(ClientLeft)) = upload.poll(cx, &mut self.request) {
            return Poll::Ready(Err(Unanswered::Gone(Gone::Left)));
        }
        let slot = &self.slot;
        let response = std::pin::Pin::new(&mut self.response).poll(cx);
        response
            .map_ok(http::Response::into_parts)
            .map_err(|error| failed(&error, slot))
    }

    /// The answer is there.
    pub(super) fn answered(self, (head, body): (ResponseParts, RecvStream)) -> Answered {
        Answered {
            head,
            body,
            request: self.request,
            slot: self.slot,
        }
    }
}

fn failed(error: &::h2::Error, slot: &Slot) -> Unanswered {
    let (ending, reason) = failure::ending(error);
    let is_closed = error.is_io() || ending == Ending::GoAway;
    let is_stale = slot.is_reused && is_closed;
    Unanswered::Failed {
        ending,
        reason,
        is_stale,
    }
}
