//! What a half-open breaker remembers: the probes that are out and how the others went.

use super::params::{HalfOpen, Trial, Trip};
use super::tally::{Mark, rate_verdict};
use super::transition::{Cause, Counts};
use crate::Percent;

/// What the probes say so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Not enough yet.
    Waiting,
    /// The upstream works.
    Passed,
    /// It does not.
    Failed(Cause),
}

/// How one probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProbeEnd {
    Succeeded,
    Failed,
    Slow,
    Silent,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    /// Never used again, so that a late answer meets no other probe.
    number: u64,
    since_ns: u64,
    answered: bool,
}

/// The probes of one half-open time, those that are out in the order of their admission.
#[derive(Clone, Debug, Default)]
pub(super) struct Probes {
    out: Vec<Probe>,
    admitted: u64,
    ended: Counts,
}

impl Probes {
    /// Forgets everything and makes room, so that admitting never allocates.
    pub(super) fn restart(&mut self, trial: Trial) {
        self.out.clear();
        self.out.reserve_exact(trial.places() as usize);
        self.ended = Counts::default();
    }

    /// The number of the probe let through now, unless every place is taken.
    pub(super) fn admit(&mut self, trial: Trial, now_ns: u64) -> Option<u64> {
        if !self.has_place(trial) {
            return None;
        }
        self.admitted += 1;
        self.out.push(Probe {
            number: self.admitted,
            since_ns: now_ns,
            answered: false,
        });
        Some(self.admitted)
    }

    pub(super) fn has_place(&self, trial: Trial) -> bool {
        let taken = match trial {
            Trial::Successes(_) => 0,
            Trial::Probes(_) => self.ended.calls,
        };
        self.in_flight() + taken < trial.places()
    }

    pub(super) fn answered(&mut self, number: u64) {
        if let Some(probe) = self.out.iter_mut().find(|probe| probe.number == number) {
            probe.answered = true;
        }
    }

    /// Takes a probe in; false when it is not out any more.
    pub(super) fn take_in(&mut self, number: u64) -> bool {
        let position = self.out.iter().position(|probe| probe.number == number);
        position.map(|at| self.out.remove(at)).is_some()
    }

    /// Takes in the oldest probe if it waited for too long, with how it ended.
    pub(super) fn take_in_expired(
        &mut self,
        half_open: &HalfOpen,
        now_ns: u64,
    ) -> Option<ProbeEnd> {
        let oldest = *self.out.first()?;
        if now_ns.saturating_sub(oldest.since_ns) < half_open.max_wait_ns {
            return None;
        }
        self.out.remove(0);
        Some(if oldest.answered {
            ProbeEnd::Succeeded
        } else {
            ProbeEnd::Silent
        })
    }

    /// Records how a probe ended, and says what all of them mean by now.
    pub(super) fn record(
        &mut self,
        end: ProbeEnd,
        mark: Mark,
        trial: Trial,
        trip: &Trip,
    ) -> Finding {
        self.ended.calls += 1;
        self.ended.failures += u32::from(mark.failed);
        self.ended.slow += u32::from(mark.slow);
        self.ended.consecutive_failures = if mark.failed {
            self.ended.consecutive_failures + 1
        } else {
            0
        };
        match trial {
            Trial::Successes(wanted) => self.judge_each(end, wanted),
            Trial::Probes(wanted) => self.judge_all(wanted, trip),
        }
    }

    fn judge_each(&self, end: ProbeEnd, wanted: u32) -> Finding {
        match end {
            ProbeEnd::Failed => Finding::Failed(Cause::ProbeFailed),
            ProbeEnd::Slow => Finding::Failed(Cause::ProbeSlow),
            ProbeEnd::Silent => Finding::Failed(Cause::ProbeSilent),
            ProbeEnd::Succeeded if self.ended.calls >= wanted => Finding::Passed,
            ProbeEnd::Succeeded => Finding::Waiting,
        }
    }

    /// Where `error_rate` is off, half of the probes failing is too much: probes have to be judged by something.
    fn judge_all(&self, wanted: u32, trip: &Trip) -> Finding {
        if self.ended.calls < wanted {
            return Finding::Waiting;
        }
        let trip = Trip {
            error_rate: trip.error_rate.or(Some(Percent::new(50))),
            ..*trip
        };
        rate_verdict(&trip, self.ended).map_or(Finding::Passed, Finding::Failed)
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.out.len() as u32
    }

    pub(super) const fn counts(&self) -> Counts {
        self.ended
    }
}
