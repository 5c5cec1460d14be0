//! A stream's client while it waits for its answer.

use std::pin::pin;
use std::task::{Context, Poll};

use ::h2::server::SendResponse;

use super::parcel::Parcel;
use super::session::Presence;

/// A client that waits.
pub(super) struct Client {
    pub(super) presence: Presence,
    pub(super) respond: SendResponse<Parcel>,
}

/// Why work beside a client was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    ClientLeft,
    OutOfTime,
}

impl Client {
    /// Does `work` until it is done, the client leaves, or `until_ns` is over.
    pub(super) async fn beside<T>(
        &mut self,
        until_ns: Option<u64>,
        work: impl Future<Output = T>,
    ) -> Result<T, Interrupt> {
        let mut work = pin!(work);
        std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => self.poll_interrupt(cx, until_ns).map(Err),
        })
        .await
    }

    /// Ready when the client has left, or `until_ns` is over.
    pub(super) fn poll_interrupt(
        &mut self,
        cx: &mut Context<'_>,
        until_ns: Option<u64>,
    ) -> Poll<Interrupt> {
        if self.presence.poll_alarm(cx, until_ns).is_ready() {
            return Poll::Ready(Interrupt::OutOfTime);
        }
        self.respond.poll_reset(cx).map(|_| Interrupt::ClientLeft)
    }
}
