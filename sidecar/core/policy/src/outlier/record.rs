//! What is counted of one endpoint, and how it is set aside and comes back.

use super::{Cause, Params, Signal};
use crate::Percent;
use crate::steps::Steps;

/// The steps of a return, one per interval, in percent of a fair share.
const RAMP: [Percent; 3] = [Percent::new(10), Percent::new(25), Percent::new(50)];

#[derive(Clone, Copy, Debug)]
struct SetAside {
    since_ns: u64,
    until_ns: u64,
    step_ns: u64,
    cause: Cause,
    /// Whether it is called all the same.
    is_kept: bool,
}

/// One endpoint, from when it appeared: one that was removed and added again starts clean.
#[derive(Clone, Debug, Default)]
pub struct Record {
    streaks: [u32; 3],
    calls: u32,
    failures: u32,
    latencies: Option<Box<Steps>>,
    slow_sweeps: u32,
    ejections: u32,
    set_aside: Option<SetAside>,
}

impl Record {
    pub(super) fn count(&mut self, signal: Signal, latency_ns: u64, keeps_latency: bool) {
        let severities = [
            Signal::Failure,
            Signal::GatewayFailure,
            Signal::ConnectFailure,
        ];
        for (streak, severity) in self.streaks.iter_mut().zip(severities) {
            *streak = if signal >= severity {
                streak.saturating_add(1)
            } else {
                0
            };
        }
        self.calls = self.calls.saturating_add(1);
        self.failures = self
            .failures
            .saturating_add(u32::from(signal != Signal::Success));
        if keeps_latency && signal < Signal::ConnectFailure {
            self.latencies.get_or_insert_default().record(latency_ns);
        }
    }

    pub(super) fn streak_cause(&self, params: &Params) -> Option<Cause> {
        let limits = [
            (params.connect_failures, Cause::ConnectFailures),
            (
                params.consecutive_gateway_failures,
                Cause::ConsecutiveGatewayFailures,
            ),
            (params.consecutive_failures, Cause::ConsecutiveFailures),
        ];
        let reached =
            |(limit, streak): (Option<u32>, u32)| limit.is_some_and(|most| streak >= most);
        let mut found = limits.into_iter().zip(self.streaks.into_iter().rev());
        found
            .find(|&((limit, _), streak)| reached((limit, streak)))
            .map(|((_, cause), _)| cause)
    }

    pub(super) fn eject(&mut self, cause: Cause, params: &Params, now_ns: u64) {
        self.ejections = self.ejections.saturating_add(1);
        let time_ns = params
            .base_ns
            .saturating_mul(u64::from(self.ejections))
            .min(params.max_ns);
        self.set_aside = Some(SetAside {
            since_ns: now_ns,
            until_ns: now_ns.saturating_add(time_ns),
            step_ns: params.interval_ns.max(1),
            cause,
            is_kept: false,
        });
        self.streaks = [0; 3];
    }

    /// Notes whether the endpoint, while it is set aside, is called all the same: who never left needs no return.
    pub const fn note_kept(&mut self, is_kept: bool, now_ns: u64) {
        if let Some(aside) = &mut self.set_aside
            && now_ns < aside.until_ns
        {
            aside.is_kept = is_kept;
        }
    }

    /// Forgets the interval; each sweep that found the endpoint in use takes one ejection off its account.
    pub(super) fn end_interval(&mut self, healthy_sweeps: u64, now_ns: u64) {
        self.calls = 0;
        self.failures = 0;
        if let Some(latencies) = &mut self.latencies {
            latencies.clear();
        }
        let forgiven = u32::try_from(healthy_sweeps).unwrap_or(u32::MAX);
        self.ejections = self.ejections.saturating_sub(forgiven);
        if self.share(now_ns) == Percent::new(100) {
            self.set_aside = None;
        }
    }

    /// Since when it has been in use, or will be again.
    pub(super) fn returned_ns(&self) -> u64 {
        self.set_aside.map_or(0, |aside| aside.until_ns)
    }

    pub(super) const fn calls(&self) -> u32 {
        self.calls
    }

    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    /// The latency that nine of ten calls of this interval did not exceed; none below so many samples.
    pub(super) fn p90_ns(&self, minimum_samples: u32) -> Option<u64> {
        self.latencies
            .as_deref()
            .filter(|latencies| latencies.count() >= minimum_samples)?
            .quantile_ns(Percent::new(90))
    }

    /// Notes whether this sweep found it slow; the number of sweeps in a row that did.
    pub(super) const fn note_slow(&mut self, is_slow: bool) -> u32 {
        self.slow_sweeps = if is_slow { self.slow_sweeps + 1 } else { 0 };
        self.slow_sweeps
    }

    /// Whether the endpoint is set aside.
    #[must_use]
    pub const fn is_ejected(&self, now_ns: u64) -> bool {
        self.ejected(now_ns).is_some()
    }

    /// From when until when the endpoint is set aside.
    #[must_use]
    pub const fn ejected(&self, now_ns: u64) -> Option<(u64, u64)> {
        match self.set_aside {
            Some(aside) if now_ns < aside.until_ns => Some((aside.since_ns, aside.until_ns)),
            _ => None,
        }
    }

    /// Why the endpoint is set aside.
    #[must_use]
    pub const fn cause(&self, now_ns: u64) -> Option<Cause> {
        match self.set_aside {
            Some(aside) if now_ns < aside.until_ns => Some(aside.cause),
            _ => None,
        }
    }

    /// How many ejections count towards the length of the next.
    #[must_use]
    pub const fn ejections(&self) -> u32 {
        self.ejections
    }

    /// What part of a fair share of the calls the endpoint may have.
    #[must_use]
    pub fn share(&self, now_ns: u64) -> Percent {
        let Some(aside) = self.set_aside else {
            return Percent::new(100);
        };
        let Some(back_for_ns) = now_ns.checked_sub(aside.until_ns) else {
            return Percent::new(0);
        };
        if aside.is_kept {
            return Percent::new(100);
        }
        let step = usize::try_from(back_for_ns / aside.step_ns).unwrap_or(usize::MAX);
        RAMP.get(step).copied().unwrap_or(Percent::new(100))
    }
}
