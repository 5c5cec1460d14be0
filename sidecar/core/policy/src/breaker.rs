//! The circuit breaker: keeps calls away from what fails, and finds out when it works again.
//!
//! **Theory of operation.** A closed breaker records how calls end, in a window and as failures in a row. When
//! one of its limits is reached it opens, and refuses calls for a time that grows with every re-opening. The
//! first call after that time makes it half open: a few probes go through. If they do well it closes with a
//! fresh window, otherwise it opens again. [`TRANSITIONS`] lists every way between the states.
//!
//! Every admitted call holds a [`Permit`], stamped with the *epoch*, the number of the state's current stay.
//! It comes back exactly once: with a result, or uncounted. What comes back from an older epoch changes
//! nothing, so a late answer of a call begun before a transition cannot close or open anything.
//!
//! Nothing moves by itself: an open time, the wait for a probe and a person's decision end in the first call
//! made after their time, [`Breaker::check`] included. Transitions queue up in order until they are taken.

mod params;
mod permit;
mod probes;
mod tally;
mod transition;

use std::collections::VecDeque;

pub use params::{HalfOpen, OpenTime, Params, Trial, Trip, Window};
pub use permit::{Forced, Permit, Refusal, Standing};
use probes::{Finding, ProbeEnd, Probes};
use tally::{Mark, Tally};
pub use transition::{Cause, Counts, State, TRANSITIONS, Transition};

use crate::overload::Damper;
use crate::{Outcome, backoff, draw};

/// Transitions kept for the owner, who takes them after each call; one call makes at most four.
const KEPT_TRANSITIONS: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    Open {
        since_ns: u64,
        until_ns: u64,
    },
    HalfOpen,
    Forced {
        how: Forced,
        since_ns: u64,
        until_ns: u64,
    },
}

/// One breaker.
#[derive(Clone, Debug)]
pub struct Breaker {
    params: Params,
    phase: Phase,
    epoch: u64,
    tally: Tally,
    probes: Probes,
    reopenings: u32,
    damper: Damper,
    /// While a refusal for overload is recorded: how long the breaker opens if that trips it.
    opens_for_ns: Option<u64>,
    transitions: VecDeque<Transition>,
}

impl Breaker {
    /// A closed breaker that has seen nothing.
    #[must_use]
    pub fn new(params: Params) -> Self {
        Self {
            phase: Phase::Closed,
            epoch: 1,
            tally: Tally::new(params.window),
            probes: Probes::default(),
            reopenings: 0,
            damper: Damper::default(),
            opens_for_ns: None,
            transitions: VecDeque::new(),
            params,
        }
    }

    /// A permit for one call, or why there is none.
    #[inline]
    pub fn admit(&mut self, now_ns: u64, draw: u64) -> Result<Permit, Refusal> {
        if self.phase == Phase::Closed {
            return Ok(Permit {
                epoch: self.epoch,
                probe: None,
            });
        }
        self.admit_guarded(now_ns, draw)
    }

    fn admit_guarded(&mut self, now_ns: u64, draw: u64) -> Result<Permit, Refusal> {
        self.check(now_ns, draw);
        if matches!(self.phase, Phase::Open { until_ns, .. } if until_ns <= now_ns) {
            self.half_open(now_ns);
        }
        let probe = match self.phase {
            Phase::Open { until_ns, .. } => {
                return Err(Refusal::Open {
                    retry_after_ns: until_ns - now_ns,
                });
            }
            Phase::Forced {
                how: Forced::Open, ..
            } => return Err(Refusal::Forced),
            Phase::HalfOpen => Some(self.admit_probe(now_ns)?),
            Phase::Closed | Phase::Forced { .. } => None,
        };
        Ok(Permit {
            epoch: self.epoch,
            probe,
        })
    }

    fn admit_probe(&mut self, now_ns: u64) -> Result<u64, Refusal> {
        self.probes
            .admit(self.params.half_open.trial, now_ns)
            .ok_or(Refusal::HalfOpenFull)
    }

    /// Notes that the response headers of an admitted call are there.
    pub fn on_headers(&mut self, permit: &Permit, now_ns: u64, draw: u64) {
        self.check(now_ns, draw);
        if let Some(probe) = permit.probe {
            self.probes.answered(probe);
        }
    }

    /// Takes a permit back with how its call ended, `latency_ns` after it began.
    pub fn on_result(
        &mut self,
        permit: Permit,
        outcome: Outcome,
        latency_ns: u64,
        now_ns: u64,
        draw: u64,
    ) {
        if outcome == Outcome::Uncounted {
            return self.release(permit);
        }
        self.check(now_ns, draw);
        if permit.epoch != self.epoch {
            return;
        }
        let mark = Mark {
            failed: outcome == Outcome::Failure,
            slow: self.params.trip.is_slow(latency_ns),
        };
        match (self.phase, permit.probe) {
            (Phase::Closed, _) => self.record_call(mark, now_ns, draw),
            (Phase::HalfOpen, Some(probe)) => self.record_probe(probe, mark, now_ns, draw),
            (
                Phase::Forced {
                    how: Forced::Closed,
                    ..
                },
                _,
            ) => {
                self.tally
                    .record(mark, self.params.reset_timeout_ns, now_ns);
            }
            _ => {}
        }
    }

    /// Takes a permit back of a call that a peer refused because it has more work than it can do.
    ///
    /// Where the settings say so that is a failure, at most one in 100 ms; what it trips opens for a shorter time.
    pub fn on_overload(&mut self, permit: Permit, now_ns: u64, draw: u64) {
        self.check(now_ns, draw);
        let is_current = permit.epoch == self.epoch;
        match self.params.overload_open_ns {
            Some(open_ns) if is_current && self.damper.counts(now_ns) => {
                self.opens_for_ns = Some(open_ns);
                self.on_result(permit, Outcome::Failure, 0, now_ns, draw);
                self.opens_for_ns = None;
            }
            _ => self.release(permit),
        }
    }

    /// Takes a permit back uncounted: its place is free again.
    pub fn release(&mut self, permit: Permit) {
        if let Some(probe) = permit.probe {
            self.probes.take_in(probe);
        }
    }

    fn record_call(&mut self, mark: Mark, now_ns: u64, draw: u64) {
        self.tally
            .record(mark, self.params.reset_timeout_ns, now_ns);
        if let Some(cause) = self.tally.verdict(&self.params, now_ns) {
            self.open(cause, now_ns, draw);
        }
    }

    fn record_probe(&mut self, probe: u64, mark: Mark, now_ns: u64, draw: u64) {
        if !self.probes.take_in(probe) {
            return;
        }
        let end = match mark {
            Mark { failed: true, .. } => ProbeEnd::Failed,
            Mark { slow: true, .. } => ProbeEnd::Slow,
            Mark { .. } => ProbeEnd::Succeeded,
        };
        self.conclude(end, mark, now_ns, draw);
    }

    fn conclude(&mut self, end: ProbeEnd, mark: Mark, now_ns: u64, draw: u64) {
        match self
            .probes
            .record(end, mark, self.params.half_open.trial, &self.params.trip)
        {
            Finding::Waiting => {}
            Finding::Passed => self.close(Cause::ProbesPassed, now_ns),
            Finding::Failed(cause) => self.open(cause, now_ns, draw),
        }
    }

    /// Ends what is over by now: a person's decision, and the wait for probes.
    #[inline]
    pub fn check(&mut self, now_ns: u64, draw: u64) {
        match self.phase {
            Phase::HalfOpen => self.expire_probes(now_ns, draw),
            Phase::Forced { until_ns, .. } if until_ns <= now_ns => self.lift(now_ns),
            _ => {}
        }
    }

    fn expire_probes(&mut self, now_ns: u64, draw: u64) {
        while self.phase == Phase::HalfOpen {
            let Some(end) = self.probes.take_in_expired(&self.params.half_open, now_ns) else {
                return;
            };
            let mark = Mark {
                failed: end == ProbeEnd::Silent,
                slow: false,
            };
            self.conclude(end, mark, now_ns, draw);
        }
    }

    /// Carries out a person's decision until `until_ns`; it replaces an earlier one.
    pub fn force(&mut self, how: Forced, until_ns: u64, now_ns: u64) {
        self.check(now_ns, 0);
        self.enter(
            Phase::Forced {
                how,
                since_ns: now_ns,
                until_ns,
            },
            Cause::Forced,
            now_ns,
        );
        self.start_afresh();
    }

    /// Ends a person's decision now: the breaker is closed, with a fresh window.
    pub fn lift(&mut self, now_ns: u64) {
        if matches!(self.phase, Phase::Forced { .. }) {
            self.close(Cause::ForceOver, now_ns);
        }
    }

    /// Closes it by a person's decision, whatever state it is in, with a fresh window.
    pub fn reset(&mut self, now_ns: u64) {
        match self.phase {
            Phase::Closed => self.start_afresh(),
            Phase::Open { .. } | Phase::HalfOpen => self.close(Cause::Forced, now_ns),
            Phase::Forced { .. } => self.lift(now_ns),
        }
    }

    fn open(&mut self, cause: Cause, now_ns: u64, draw: u64) {
        let is_reopening = self.phase == Phase::HalfOpen;
        self.reopenings = if is_reopening {
            self.reopenings.saturating_add(1)
        } else {
            0
        };
        let until_ns = now_ns.saturating_add(self.open_time_ns(draw));
        self.enter(
            Phase::Open {
                since_ns: now_ns,
                until_ns,
            },
            cause,
            now_ns,
        );
    }

    fn open_time_ns(&self, draw: u64) -> u64 {
        let open = &self.params.open;
        let grown_ns =
            || backoff::exponential(open.base_ns, open.multiplier, open.max_ns, self.reopenings);
        let time_ns = self.opens_for_ns.unwrap_or_else(grown_ns);
        let swing_ns = open.jitter.of(time_ns).min(time_ns);
        draw::between(draw, time_ns - swing_ns, time_ns.saturating_add(swing_ns))
    }

    fn half_open(&mut self, now_ns: u64) {
        self.enter(Phase::HalfOpen, Cause::OpenTimeOver, now_ns);
        self.probes.restart(self.params.half_open.trial);
    }

    fn close(&mut self, cause: Cause, now_ns: u64) {
        self.enter(Phase::Closed, cause, now_ns);
        self.start_afresh();
    }

    fn start_afresh(&mut self) {
        self.tally = Tally::new(self.params.window);
        self.reopenings = 0;
    }

    fn enter(&mut self, phase: Phase, cause: Cause, now_ns: u64) {
        let (from, counts) = (self.state(), self.counts(now_ns));
        self.phase = phase;
        self.epoch += 1;
        if self.transitions.len() == KEPT_TRANSITIONS {
            self.transitions.pop_front();
        }
        let to = self.state();
        self.transitions.push_back(Transition {
            from,
            to,
            cause,
            counts,
            at_ns: now_ns,
        });
    }

    /// The oldest transition not yet taken.
    #[inline]
    pub fn next_transition(&mut self) -> Option<Transition> {
        self.transitions.pop_front()
    }

    /// Takes new settings, keeping the state, the open time under way and, if it is the same kind, the window.
    ///
    /// Half open under another trial, it begins its probes anew; those that are out are then ignored.
    pub fn reconfigure(&mut self, params: Params) {
        if params.window != self.params.window {
            self.tally = Tally::new(params.window);
        }
        if self.phase == Phase::HalfOpen && params.half_open.trial != self.params.half_open.trial {
            self.epoch += 1;
            self.probes.restart(params.half_open.trial);
        }
        self.params = params;
    }

    /// The state as of the last call.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen => State::HalfOpen,
            Phase::Forced {
                how: Forced::Open, ..
            } => State::ForcedOpen,
            Phase::Forced {
                how: Forced::Closed,
                ..
            } => State::ForcedClosed,
            Phase::Forced {
                how: Forced::Disabled,
                ..
            } => State::Disabled,
        }
    }

    /// What the breaker means at `now_ns` for the endpoint behind it.
    #[must_use]
    pub const fn standing(&self, now_ns: u64) -> Standing {
        match self.phase {
            Phase::Open { since_ns, until_ns } if now_ns < until_ns => {
                Standing::Open { since_ns, until_ns }
            }
            Phase::Open { .. } | Phase::HalfOpen => Standing::Probing,
            Phase::Forced {
                how: Forced::Open,
                since_ns,
                until_ns,
            } if now_ns < until_ns => Standing::Open { since_ns, until_ns },
            Phase::Closed | Phase::Forced { .. } => Standing::Healthy,
        }
    }

    /// Whether a probe let through at `now_ns` would find a place; true in every state that has no probes.
    #[must_use]
    pub fn has_place(&self) -> bool {
        self.phase != Phase::HalfOpen || self.probes.has_place(self.params.half_open.trial)
    }

    /// What is counted at `now_ns`: in the window, or while half open of the probes that ended.
    pub fn counts(&mut self, now_ns: u64) -> Counts {
        match self.phase {
            Phase::HalfOpen => self.probes.counts(),
            _ => self.tally.counts(self.params.reset_timeout_ns, now_ns),
        }
    }

    /// Probes that are out.
    #[must_use]
    pub fn probes_in_flight(&self) -> u32 {
        if self.phase == Phase::HalfOpen {
            self.probes.in_flight()
        } else {
            0
        }
    }

    /// When an open time or a person's decision ends.
    #[must_use]
    pub const fn until_ns(&self) -> Option<u64> {
        match self.phase {
            Phase::Open { until_ns, .. } | Phase::Forced { until_ns, .. } => Some(until_ns),
            Phase::Closed | Phase::HalfOpen => None,
        }
    }

    /// The settings in force.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }
}

#[cfg(test)]
mod tests;
