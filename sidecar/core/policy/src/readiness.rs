//! Which endpoints may be picked, given breakers and outlier detection: one verdict per endpoint.
//!
//! An endpoint whose breaker is open, or that is an outlier, is ejected, but never more than `max_ejected` of
//! them (at least one, and never the last one), and none at all while fewer than `panic_threshold` are healthy.
//! Those that were first set aside go first. An open breaker whose endpoint these rules keep lets calls
//! through, uncounted. An outlier that returned gets a growing part of the calls.

use crate::balancer::{self, Load};
use crate::breaker::{Breaker, Permit, Refusal, Standing};
use crate::{Percent, Reason, draw, outlier, percent};

/// How many endpoints may be set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// The share that may be ejected; at least one endpoint may, and never the last one.
    pub max_ejected: Percent,
    /// Below this share of healthy endpoints, ejection is ignored.
    pub panic_threshold: Percent,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            max_ejected: Percent::new(10),
            panic_threshold: Percent::new(50),
        }
    }
}

/// One endpoint of the set.
pub trait Member {
    /// Its breaker, if its policy has one.
    fn breaker(&self) -> Option<&Breaker>;
    /// The same, to admit calls with.
    fn breaker_mut(&mut self) -> Option<&mut Breaker>;
    /// Its load.
    fn load(&self) -> &Load;
    /// What outlier detection holds of it, if its policy has any.
    fn outlier(&self) -> Option<&outlier::Record> {
        None
    }
}

/// What the rules make of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// May be picked; its breaker admits and counts.
    Ready,
    /// May be picked although its breaker is open; calls are not counted.
    Kept,
    /// May not be picked.
    Ejected,
}

/// Panic began or ended: an event for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanicChange {
    /// Too few are healthy: ejection is ignored.
    Began,
    /// Enough are healthy again.
    Ended,
}

/// An endpoint picked, with the permit of its breaker.
#[derive(Debug)]
#[must_use = "the permit has to be given back"]
pub struct Picked {
    /// Its position in the set.
    pub endpoint: u32,
    /// The permit.
    pub permit: Permit,
}

/// The verdicts over one set of endpoints.
#[derive(Clone, Debug)]
pub struct Readiness {
    params: Params,
    verdicts: Vec<Verdict>,
    ready: Vec<u32>,
    open: Vec<(u64, u32)>,
    is_panicking: bool,
    is_stale: bool,
    due_ns: u64,
}

impl Readiness {
    /// No verdicts yet; the first [`Readiness::refresh`] makes them.
    #[must_use]
    pub const fn new(params: Params) -> Self {
        Self {
            params,
            verdicts: Vec::new(),
            ready: Vec::new(),
            open: Vec::new(),
            is_panicking: false,
            is_stale: true,
            due_ns: 0,
        }
    }

    /// Has the next refresh judge anew: a breaker changed its state, or the set or its settings changed.
    pub const fn invalidate(&mut self) {
        self.is_stale = true;
    }

    /// Takes new settings.
    pub const fn reconfigure(&mut self, params: Params) {
        self.params = params;
        self.invalidate();
    }

    /// Whether the verdicts on so many endpoints still hold, so that a refresh judges nothing.
    #[must_use]
    pub const fn is_current(&self, count: usize, now_ns: u64) -> bool {
        !self.is_stale && now_ns < self.due_ns && count == self.verdicts.len()
    }

    /// Judges every endpoint, if anything can have changed; otherwise costs a comparison.
    pub fn refresh<M: Member>(&mut self, members: &[M], now_ns: u64) -> Option<PanicChange> {
        if self.is_current(members.len(), now_ns) {
            return None;
        }
        self.is_stale = false;
        self.collect_open(members, now_ns);
        let must_panic = self.must_panic();
        let was_panicking = std::mem::replace(&mut self.is_panicking, must_panic);
        self.judge();
        match (was_panicking, self.is_panicking) {
            (false, true) => Some(PanicChange::Began),
            (true, false) => Some(PanicChange::Ended),
            _ => None,
        }
    }

    /// Notes the open endpoints, the earliest opened first, and when the next of them may return.
    fn collect_open<M: Member>(&mut self, members: &[M], now_ns: u64) {
        self.open.clear();
        self.verdicts.clear();
        self.verdicts.resize(members.len(), Verdict::Ready);
        self.due_ns = u64::MAX;
        for (position, member) in (0..).zip(members) {
            if let Standing::Open { since_ns, until_ns } = standing(member, now_ns) {
                self.open.push((since_ns, position));
                self.due_ns = self.due_ns.min(until_ns);
            }
        }
        self.open.sort_unstable();
    }

    fn must_panic(&self) -> bool {
        let count = self.verdicts.len() as u32;
        let healthy = count - self.open.len() as u32;
        count > 0 && !self.params.panic_threshold.is_reached_by(healthy, count)
    }

    fn judge(&mut self) {
        let ceiling = if self.is_panicking { 0 } else { self.ceiling() };
        for (order, &(_, position)) in self.open.iter().enumerate() {
            let verdict = if order < ceiling {
                Verdict::Ejected
            } else {
                Verdict::Kept
            };
            self.verdicts[position as usize] = verdict;
        }
        let positions = (0..).zip(&self.verdicts);
        self.ready.clear();
        self.ready.extend(
            positions
                .filter(|(_, verdict)| **verdict != Verdict::Ejected)
                .map(|(at, _)| at),
        );
    }

    fn ceiling(&self) -> usize {
        let count = self.verdicts.len();
        let share = self.params.max_ejected.of(count as u64) as usize;
        share.max(1).min(count.saturating_sub(1))
    }

    /// Picks one of the ready endpoints that admits the call: the better of two, else any.
    ///
    /// A half-open endpoint with a free place for a probe wins its comparison, since only calls can close its
    /// breaker; one without is skipped. `avoid`, the endpoint just tried, is picked when nothing else can be.
    /// The error is the reason to refuse the attempt with.
    pub fn pick<M: Member>(
        &self,
        members: &mut [M],
        avoid: Option<u32>,
        now_ns: u64,
        draw: u64,
    ) -> Result<Picked, Reason> {
        let cost = |endpoint: u32| cost(&members[endpoint as usize], now_ns);
        let (first, second) =
            balancer::pick(&self.ready, avoid, draw, cost).ok_or(Reason::UpstreamNoEndpoints)?;
        let is_kept = self.verdict(first) == Verdict::Kept;
        let endpoint = if is_kept || has_its_turn(&members[first as usize], now_ns, draw) {
            first
        } else {
            second
        };
        self.admit(members, endpoint, now_ns, draw)
            .or_else(|_| self.pick_any(members, avoid, now_ns, draw))
            .map_err(|refusal| refusal.reason())
    }

    /// Asks every ready endpoint once, from a random one on, the one to avoid last.
    fn pick_any<M: Member>(
        &self,
        members: &mut [M],
        avoid: Option<u32>,
        now_ns: u64,
        draw: u64,
    ) -> Result<Picked, Refusal> {
        let start = balancer::start_of_walk(self.ready.len() as u32, draw) as usize;
        let walk = self
            .ready
            .iter()
            .cycle()
            .skip(start)
            .take(self.ready.len())
            .copied();
        let last = avoid.filter(|&endpoint| self.is_ready(endpoint));
        let mut refusal = Refusal::HalfOpenFull;
        for endpoint in walk.filter(|&endpoint| Some(endpoint) != avoid).chain(last) {
            match self.admit(members, endpoint, now_ns, draw) {
                Ok(picked) => return Ok(picked),
                Err(refused) => refusal = refused,
            }
        }
        Err(refusal)
    }

    fn admit<M: Member>(
        &self,
        members: &mut [M],
        endpoint: u32,
        now_ns: u64,
        draw: u64,
    ) -> Result<Picked, Refusal> {
        let is_kept = self.verdict(endpoint) == Verdict::Kept;
        let is_counted = |breaker: &&mut Breaker| {
            !is_kept || !matches!(breaker.standing(now_ns), Standing::Open { .. })
        };
        let breaker = members[endpoint as usize].breaker_mut().filter(is_counted);
        let permit = breaker.map_or_else(
            || Ok(Permit::uncounted()),
            |breaker| breaker.admit(now_ns, draw),
        )?;
        Ok(Picked { endpoint, permit })
    }

    /// The verdict on one endpoint.
    #[must_use]
    pub fn verdict(&self, endpoint: u32) -> Verdict {
        self.verdicts
            .get(endpoint as usize)
            .copied()
            .unwrap_or(Verdict::Ejected)
    }

    fn is_ready(&self, endpoint: u32) -> bool {
        self.verdict(endpoint) != Verdict::Ejected
    }

    /// The endpoints that may be picked, in order.
    #[must_use]
    pub fn ready(&self) -> &[u32] {
        &self.ready
    }

    /// Whether an endpoint other than this one may be picked.
    #[must_use]
    pub fn has_another(&self, endpoint: u32) -> bool {
        self.ready.len() > usize::from(self.is_ready(endpoint))
    }

    /// Whether ejection is ignored because too few are healthy.
    #[must_use]
    pub const fn is_panicking(&self) -> bool {
        self.is_panicking
    }
}

/// The worse of what the breaker and outlier detection say.
fn standing(member: &impl Member, now_ns: u64) -> Standing {
    let by_breaker = member
        .breaker()
        .map_or(Standing::Healthy, |breaker| breaker.standing(now_ns));
    let ejected = member.outlier().and_then(|record| record.ejected(now_ns));
    match (by_breaker, ejected) {
        (by_breaker, None) => by_breaker,
        (Standing::Open { since_ns, until_ns }, Some((from_ns, to_ns))) => Standing::Open {
            since_ns: since_ns.min(from_ns),
            until_ns: until_ns.max(to_ns),
        },
        (_, Some((since_ns, until_ns))) => Standing::Open { since_ns, until_ns },
    }
}

/// Whether an endpoint that is on its way back takes this call, by its share.
fn has_its_turn(member: &impl Member, now_ns: u64, draw: u64) -> bool {
    let Some(record) = member.outlier() else {
        return true;
    };
    let share = u64::from(record.share(now_ns).millionths());
    draw::up_to(draw::another(draw), u64::from(percent::WHOLE) - 1) < share
}

fn cost(member: &impl Member, now_ns: u64) -> f64 {
    match member
        .breaker()
        .filter(|_| standing(member, now_ns) == Standing::Probing)
    {
        Some(breaker) if breaker.has_place() => 0.0,
        Some(_) => f64::INFINITY,
        None => member.load().cost(now_ns),
    }
}

#[cfg(test)]
mod tests;
