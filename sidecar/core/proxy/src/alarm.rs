//! One timer per connection, moved only when it would ring too late: a timeout that is not reached costs nothing.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Sleep, sleep_until};

use crate::clock::Clock;

/// A timer that may ring early for its own sake, and never late or wrongly for its owner's.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    armed_ns: u64,
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
        }
        while let Some(sleep) = &mut self.sleep {
            if sleep.as_mut().poll(cx).is_pending() {
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
