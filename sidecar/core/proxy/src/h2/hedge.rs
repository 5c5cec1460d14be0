//! An attempt over HTTP/2 that may get a second one beside it.

use std::rc::Rc;
use std::task::{Context, Poll};

use ::h2::RecvStream;
use ::h2::client::SendRequest;
use http::response::Parts;

use super::attempt::Attempt;
use super::connect::connect;
use super::forward::Forward;
use super::parcel::Parcel;
use super::pool::Slot;
use super::view::ResponseView;
use crate::exchange::Destination;
use crate::race::{Connecting, Driver};
use crate::series::Unanswered;

impl Driver for Forward {
    type Connected = (SendRequest<Parcel>, Slot);
    type Sent = Attempt;
    type Head = (Parts, RecvStream);

    fn poll_alarm(&mut self, cx: &mut Context<'_>, at_ns: u64) -> Poll<()> {
        self.client.presence.poll_alarm(cx, Some(at_ns))
    }

    /// A connection that broke is not found again, so that every other one will do.
    fn connect(&mut self, to: &Destination, _: bool) -> Connecting<Self::Connected> {
        let worker = Rc::clone(&self.client.presence.session.worker);
        let (to, place) = (to.clone(), self.exchange.connection.take());
        Box::pin(async move { connect(&worker, &to, place).await })
    }

    fn send(&mut self, on: Self::Connected) -> Result<Attempt, Unanswered> {
        self.begin(on)
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Unanswered> {
        let until_ns = self.exchange.headers_by_ns();
        self.client.poll_interrupt(cx, until_ns).map(Into::into)
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        attempt: &mut Attempt,
    ) -> Poll<Result<Self::Head, Unanswered>> {
        self.poll_answer(cx, attempt)
    }

    fn is_poor(&self, _: &Attempt, (head, _): &Self::Head) -> bool {
        self.exchange.is_poor(&ResponseView(head))
    }

    fn pass_over(&mut self, _: Attempt, (head, _): Self::Head) {
        self.exchange.pass_over(&ResponseView(&head));
    }
}
