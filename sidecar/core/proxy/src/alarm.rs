//! One timer per connection, moved only when it would ring too late: a timeout that is not reached costs nothing.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::time::{Sleep, sleep_until};

use crate::clock::Clock;

/// A timer that may ring early for its own sake, and never late or wrongly for its owner's.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    armed_ns: u64,
    /// Whom the timer wakes.
    waker: Option<Waker>,
}

impl Alarm {
    /// Ready when `at_ns` is over; never without one. Wakes the task at `at_ns` at the latest.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        clock: &Clock,
        at_ns: Option<u64>,
    ) -> Poll<()> {
        let Some(at_ns) = at_ns else {
            return Poll::Pending;
        };
        if self.sleep.is_none() || at_ns < self.armed_ns {
            self.arm(clock, at_ns);
        } else if self.is_set_for(cx.waker()) {
            return Poll::Pending;
        }
        while let Some(sleep) = &mut self.sleep {
            if sleep.as_mut().poll(cx).is_pending() {
                self.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if self.armed_ns >= at_ns || clock.now_ns() >= at_ns {
                self.armed_ns = u64::MAX;
                return Poll::Ready(());
            }
            self.arm(clock, at_ns);
        }
        Poll::Pending
    }

    /// Whether the timer has yet to ring, and wakes this task then: asking it again would change nothing.
    fn is_set_for(&self, waker: &Waker) -> bool {
        let is_same = |known: &Waker| known.will_wake(waker);
        let has_rung = self.sleep.as_ref().is_none_or(|sleep| sleep.is_elapsed());
        !has_rung && self.waker.as_ref().is_some_and(is_same)
    }

    fn arm(&mut self, clock: &Clock, at_ns: u64) {
        self.armed_ns = at_ns;
        let at = clock.instant(at_ns);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(sleep_until(at))),
        }
    }
}

#[cfg(test)]
mod tests;
