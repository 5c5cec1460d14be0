//! What a closed breaker remembers: the window of outcomes and the failures in a row.

use super::params::{Params, Trip, Window};
use super::transition::{Cause, Counts};
use crate::window::TenBuckets;

const CALLS: usize = 0;
const FAILURES: usize = 1;
const SLOW: usize = 2;

/// How one recorded call went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

/// The window and the streak.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    window: Memory,
    streak: Streak,
}

#[derive(Clone, Debug)]
enum Memory {
    Count(Ring),
    Time(TenBuckets<3>),
}

/// The last outcomes, overwriting the oldest.
#[derive(Clone, Debug)]
struct Ring {
    marks: Box<[Mark]>,
    next: usize,
    totals: [u32; 3],
}

/// Failures since the last success; forgotten when the last failure is `reset_timeout` old.
#[derive(Clone, Copy, Debug, Default)]
struct Streak {
    failures: u32,
    last_failure_ns: u64,
}

impl Tally {
    pub(super) fn new(window: Window) -> Self {
        let window = match window {
            Window::Count { size } => Memory::Count(Ring::new(size)),
            Window::Time { duration_ns } => Memory::Time(TenBuckets::new(duration_ns)),
        };
        Self {
            window,
            streak: Streak::default(),
        }
    }

    pub(super) fn record(&mut self, mark: Mark, reset_timeout_ns: u64, now_ns: u64) {
        match &mut self.window {
            Memory::Count(ring) => ring.push(mark),
            Memory::Time(buckets) => {
                buckets.add(now_ns, CALLS);
                if mark.failed {
                    buckets.add(now_ns, FAILURES);
                }
                if mark.slow {
                    buckets.add(now_ns, SLOW);
                }
            }
        }
        self.streak.record(mark.failed, reset_timeout_ns, now_ns);
    }

    /// Why the breaker has to open now, if it has to.
    pub(super) fn verdict(&mut self, params: &Params, now_ns: u64) -> Option<Cause> {
        let counts = self.counts(params.reset_timeout_ns, now_ns);
        if params
            .trip
            .consecutive_failures
            .is_some_and(|limit| counts.consecutive_failures >= limit)
        {
            return Some(Cause::ConsecutiveFailures);
        }
        let minimum = match params.window {
            Window::Count { size } => params.minimum_requests.min(size),
            Window::Time { .. } => params.minimum_requests,
        };
        if counts.calls >= minimum {
            rate_verdict(&params.trip, counts)
        } else {
            None
        }
    }

    pub(super) fn counts(&mut self, reset_timeout_ns: u64, now_ns: u64) -> Counts {
        let totals = match &mut self.window {
            Memory::Count(ring) => &ring.totals,
            Memory::Time(buckets) => buckets.totals(now_ns),
        };
        Counts {
            calls: totals[CALLS],
            failures: totals[FAILURES],
            slow: totals[SLOW],
            consecutive_failures: self.streak.at(reset_timeout_ns, now_ns),
        }
    }
}

/// Which of the two rates is reached, if any.
pub(super) fn rate_verdict(trip: &Trip, counts: Counts) -> Option<Cause> {
    let reached = |rate: Option<crate::Percent>, part| {
        rate.is_some_and(|rate| rate.is_reached_by(part, counts.calls))
    };
    if reached(trip.error_rate, counts.failures) {
        Some(Cause::ErrorRate)
    } else if reached(trip.slow_rate, counts.slow) {
        Some(Cause::SlowRate)
    } else {
        None
    }
}

impl Ring {
    fn new(size: u32) -> Self {
        Self {
            marks: vec![Mark::default(); size.max(1) as usize].into(),
            next: 0,
            totals: [0; 3],
        }
    }

    fn push(&mut self, mark: Mark) {
        if self.totals[CALLS] as usize == self.marks.len() {
            let oldest = self.marks[self.next];
            self.totals[CALLS] -= 1;
            self.totals[FAILURES] -= u32::from(oldest.failed);
            self.totals[SLOW] -= u32::from(oldest.slow);
        }
        self.marks[self.next] = mark;
        self.next = (self.next + 1) % self.marks.len();
        self.totals[CALLS] += 1;
        self.totals[FAILURES] += u32::from(mark.failed);
        self.totals[SLOW] += u32::from(mark.slow);
    }
}

impl Streak {
    fn at(self, reset_timeout_ns: u64, now_ns: u64) -> u32 {
        let is_stale = now_ns.saturating_sub(self.last_failure_ns) >= reset_timeout_ns;
        if is_stale { 0 } else { self.failures }
    }

    fn record(&mut self, failed: bool, reset_timeout_ns: u64, now_ns: u64) {
        if failed {
            self.failures = self.at(reset_timeout_ns, now_ns).saturating_add(1);
            self.last_failure_ns = now_ns;
        } else {
            self.failures = 0;
        }
    }
}
