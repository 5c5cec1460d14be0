//! Active health checks: when an endpoint is probed, by whom, and what its answers mean.
//!
//! **Theory of operation.** An endpoint that was never probed has no verdict, and its first answer decides at
//! once. From then on it takes `unhealthy_after` failures in a row to find it unhealthy, and `healthy_after`
//! passes in a row to find it healthy again. Probes of one endpoint lie an interval apart, a fifth more or
//! less, and never overlap. Each endpoint is probed by a few of the sidecars, which all sidecars agree on
//! without asking each other: rendezvous hashing (Thaler, Ravishankar, 1998).

use crate::balancer::hash::hash;
use crate::{Percent, draw};

/// How far a probe may lie from its interval.
const JITTER: Percent = Percent::new(20);

/// Settings of a `healthCheck:` block, but for what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// Time between the probes of one endpoint.
    pub interval_ns: u64,
    /// Failures in a row that make a healthy endpoint unhealthy, at least 1.
    pub unhealthy_after: u32,
    /// Passes in a row that make an unhealthy endpoint healthy, at least 1.
    pub healthy_after: u32,
}

/// What the probes say of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It was not probed yet.
    #[default]
    Unknown,
    /// It answers as expected.
    Healthy,
    /// It does not.
    Unhealthy,
}

impl Verdict {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// The probes of one endpoint by this sidecar.
#[derive(Clone, Copy, Debug, Default)]
pub struct Probes {
    verdict: Verdict,
    against: u32,
    due_ns: u64,
}

impl Probes {
    /// The first probe is due at a random instant of the first interval, so that a fleet does not probe at once.
    #[must_use]
    pub const fn new(params: &Params, now_ns: u64, draw: u64) -> Self {
        Self {
            verdict: Verdict::Unknown,
            against: 0,
            due_ns: now_ns.saturating_add(draw::up_to(draw, params.interval_ns)),
        }
    }

    /// Goes by what may be another interval: a probe that would come later than that has it does not.
    pub fn reconfigure(&mut self, params: &Params, now_ns: u64, draw: u64) {
        let longest_ns = params
            .interval_ns
            .saturating_add(JITTER.of(params.interval_ns));
        if self.due_ns > now_ns.saturating_add(longest_ns) {
            self.wait(params, now_ns, draw);
        }
    }

    /// Leaves the endpoint to others for now: what was found is forgotten, unless it is all that is known of an
    /// unhealthy one.
    pub fn stand_back(&mut self, params: &Params, others: Votes, now_ns: u64, draw: u64) {
        self.wait(params, now_ns, draw);
        if self.verdict != Verdict::Unhealthy || !others.is_empty() {
            (self.verdict, self.against) = (Verdict::Unknown, 0);
        }
    }

    /// When the next probe is due.
    #[must_use]
    pub const fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// What the probes so far say.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Takes an answer that came, or did not come in time, at `now_ns`; the new verdict, if it is another.
    pub fn on_result(
        &mut self,
        params: &Params,
        has_passed: bool,
        now_ns: u64,
        draw: u64,
    ) -> Option<Verdict> {
        self.wait(params, now_ns, draw);
        let (found, needed) = if has_passed {
            (Verdict::Healthy, params.healthy_after)
        } else {
            (Verdict::Unhealthy, params.unhealthy_after)
        };
        self.against = if found == self.verdict {
            0
        } else {
            self.against.saturating_add(1)
        };
        let is_decided =
            self.against > 0 && (self.verdict == Verdict::Unknown || self.against >= needed);
        is_decided.then(|| {
            self.against = 0;
            self.verdict = found;
            found
        })
    }
}

impl Probes {
    /// The next probe is due an interval from now, a fifth more or less.
    fn wait(&mut self, params: &Params, now_ns: u64, draw: u64) {
        let swing_ns = JITTER.of(params.interval_ns);
        let least_ns = params.interval_ns - swing_ns;
        let most_ns = params.interval_ns.saturating_add(swing_ns);
        self.due_ns = now_ns.saturating_add(draw::between(draw, least_ns, most_ns));
    }
}

/// Names a sidecar among those that check a service.
#[must_use]
pub fn checker(instance: &str) -> u64 {
    hash(instance.as_bytes(), 0)
}

/// Whether `own` is one of the `probers` sidecars that probe an endpoint; `checkers` are all that could.
///
/// When a sidecar comes or goes, only what it probes changes hands.
#[must_use]
pub fn is_prober(own: u64, checkers: &[u64], endpoint: &str, probers: u32) -> bool {
    let rank = |checker: u64| (hash(endpoint.as_bytes(), checker), checker);
    let own_rank = rank(own);
    let others = checkers.iter().filter(|checker| **checker != own);
    let before = others.filter(|checker| rank(**checker) > own_rank);
    before.take(probers as usize).count() < probers as usize
}

/// How many of an endpoint's other probers found it so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Votes {
    /// Those that it answers as expected.
    pub healthy: u32,
    /// Those that it does not.
    pub unhealthy: u32,
}

impl Votes {
    /// Whether nobody else has found anything.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.healthy == 0 && self.unhealthy == 0
    }
}

/// What all probers of an endpoint say together: it is unhealthy where most of those say so that know. The first of
/// them decides at once, and no single one among several that disagree.
#[must_use]
pub fn together(own: Verdict, others: Votes) -> Verdict {
    let healthy = others
        .healthy
        .saturating_add((own == Verdict::Healthy).into());
    let unhealthy = others
        .unhealthy
        .saturating_add((own == Verdict::Unhealthy).into());
    match (healthy, unhealthy) {
        (0, 0) => Verdict::Unknown,
        _ if unhealthy > healthy => Verdict::Unhealthy,
        _ => Verdict::Healthy,
    }
}

#[cfg(test)]
mod tests;
