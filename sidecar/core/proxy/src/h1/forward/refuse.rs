//! A refusal sent, and what becomes of the connection it is sent on.

use std::rc::Rc;
use std::task::Poll;

use http1::{Cause, Method};
use policy::Reason;

use super::{Forward, view};
use crate::exchange::End;
use crate::h1::client::{Client, Next};
use crate::h1::upload::Upload;
use crate::stages::Refusal;
use crate::worker::Entry;

/// Bytes of a refused request's body that are read, so that the connection can go on.
const MOST_DISCARDED: u64 = 64 * 1024;
/// Time for that.
const DISCARD_NS: u64 = 1_000_000_000;

impl Forward<'_> {
    /// Answers with a refusal; the connection goes on if the rest of the body is short. Behind a CONNECT comes what
    /// was meant for the tunnel: no request, whatever it looks like. Where another service stands in, that is asked.
    pub(super) async fn refuse(&mut self, refusal: Refusal) -> Next {
        if let Some(entry) = self.fall_back(&refusal) {
            return Box::pin(self.enter(entry)).await;
        }
        let is_short = self
            .upload
            .unread()
            .is_some_and(|left| left <= MOST_DISCARDED);
        let may_never_come = self.kit.request.expect_continue && !self.upload.is_read();
        let close = !self.kit.request.keep_alive
            || self.client.place.is_leaving()
            || !is_short
            || may_never_come
            || self.kit.request.method == Method::Connect;
        self.answer(refusal, close).await
    }

    /// Where the request enters to ask another service, if one is asked and the whole request can be sent to it.
    fn fall_back(&mut self, refusal: &Refusal) -> Option<Rc<Entry>> {
        if !self.upload.can_begin_again() {
            return None;
        }
        let request = view(self.kit, self.client.sender);
        self.exchange.fall_back(refusal, &request)
    }

    /// The client's body broke the protocol: nothing complete went upstream.
    pub(super) async fn refuse_malformed(&mut self, cause: Cause) -> Next {
        self.client.worker.journal.count_malformed(cause);
        let refusal = Refusal {
            status: Some(cause.status()),
            ..Refusal::new(Reason::ProtocolInvalid)
        };
        self.answer(refusal, true).await
    }

    async fn answer(&mut self, refusal: Refusal, close: bool) -> Next {
        let answer = self
            .exchange
            .refuse(&refusal, &view(self.kit, self.client.sender));
        let is_head = self.kit.request.method == Method::Head;
        let next = self.client.send(&answer, close, is_head).await;
        self.client.now_ns = self
            .exchange
            .finish(End::Complete { code: None }, answer.body.len() as u64);
        match next {
            Next::Request => discard(self.client, &mut self.upload).await,
            next => next,
        }
    }
}

/// Reads what is left of a refused request's body.
async fn discard(client: &mut Client, upload: &mut Upload) -> Next {
    let until_ns = client.now_ns.saturating_add(DISCARD_NS);
    std::future::poll_fn(|cx| {
        let Client {
            wire,
            worker,
            alarm,
            ..
        } = &mut *client;
        if let Poll::Ready(read) = upload.poll_discard(cx, wire, &worker.memory) {
            return Poll::Ready(if read.is_ok() {
                Next::Request
            } else {
                Next::Reset
            });
        }
        alarm
            .poll(cx, &worker.clock, Some(until_ns))
            .map(|()| Next::Linger)
    })
    .await
}
