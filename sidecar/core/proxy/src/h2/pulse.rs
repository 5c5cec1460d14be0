//! Whether an upstream is still there. A connection carries many calls, so one that lost its other end without a word
//! would swallow all of them until TCP gives up: when a call has waited in vain, the upstream is asked for a sign of
//! life. It is never asked otherwise, and not often, because gRPC servers hang up on those who ask too much.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep};

/// Time between one sign of life and the next question.
const QUIET: Duration = Duration::from_secs(30);

/// Asks one upstream.
pub(super) struct Pulse {
    pings: Option<PingPong>,
    /// Time for an answer.
    within: Duration,
    /// When the time for the answer that is waited for is over.
    asked: Option<Pin<Box<Sleep>>>,
    answered_at: Option<Instant>,
}

impl Pulse {
    pub(super) const fn new(pings: Option<PingPong>, within: Duration) -> Self {
        Self {
            pings,
            within,
            asked: None,
            answered_at: None,
        }
    }

    /// Ready when the upstream gave no sign of life in time; asks it for one if `is_doubted`.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, is_doubted: bool) -> Poll<()> {
        let Some(pings) = &mut self.pings else {
            return Poll::Pending;
        };
        let is_quiet = self.answered_at.is_some_and(|at| at.elapsed() < QUIET);
        if is_doubted
            && !is_quiet
            && self.asked.is_none()
            && pings.send_ping(Ping::opaque()).is_ok()
        {
            self.asked = Some(Box::pin(sleep(self.within)));
        }
        let Some(over) = &mut self.asked else {
            return Poll::Pending;
        };
        if pings.poll_pong(cx).is_ready() {
            self.asked = None;
            self.answered_at = Some(Instant::now());
            return Poll::Pending;
        }
        over.as_mut().poll(cx)
    }
}
