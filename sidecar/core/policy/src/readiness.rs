//! Which endpoints may be picked, given breakers and outlier detection: one verdict per endpoint.
//!
//! An endpoint whose breaker is open, or that is an outlier, is ejected, but never more than `max_ejected` of
//! them (at least one, and never the last one), and none at all while fewer than `panic_threshold` are healthy.
//! Those that were first set aside go first. An open breaker whose endpoint these rules keep lets calls
//! through, uncounted. An outlier that returned gets a growing part of the calls.
//!
//! Whom probes found unhealthy is left out as if it were not there, unless nobody else is.
//!
//! Among those that may be picked, a request chooses from a *pool*: that of its instance group, or that of
//! everybody; and there from the near zone, as long as enough of that is ready.

mod elsewhere;
mod pick;
mod pool;

pub use elsewhere::Elsewhere;
pub use pick::{Ask, Picked};

use crate::balancer::Load;
use crate::breaker::{Breaker, Standing};
use crate::instance_groups::{Overflow, Size};
use crate::{Percent, outlier};
use pool::Pool;

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
    /// What part of a fair share of the calls it may have.
    fn share(&self, now_ns: u64) -> Percent {
        self.outlier()
            .map_or(Percent::new(100), |record| record.share(now_ns))
    }
    /// How many endpoints' share of the calls is its own; at least 1.
    fn weight(&self) -> u32 {
        1
    }
    /// Whether probes found it unhealthy.
    fn is_unhealthy(&self) -> bool {
        false
    }
    /// Whether it is in the caller's own zone.
    fn is_near(&self) -> bool {
        false
    }
    /// The instance group that it belongs to.
    fn group(&self) -> Option<usize> {
        None
    }
}

/// How the endpoints are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Whether near endpoints go first.
    pub prefers_near: bool,
    /// How many instance groups there are.
    pub groups: usize,
    /// When one of them spills into later ones.
    pub overflow: Overflow,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            prefers_near: false,
            groups: 0,
            overflow: Overflow::Never,
        }
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

/// The verdicts over one set of endpoints.
#[derive(Clone, Debug)]
pub struct Readiness {
    params: Params,
    layout: Layout,
    verdicts: Vec<Verdict>,
    /// How many there are, but for those that probes found unhealthy.
    judged: u32,
    /// One for each group, and then that of everybody.
    pools: Vec<Pool>,
    sizes: Vec<Size>,
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
            layout: Layout {
                prefers_near: false,
                groups: 0,
                overflow: Overflow::Never,
            },
            verdicts: Vec::new(),
            judged: 0,
            pools: Vec::new(),
            sizes: Vec::new(),
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
    pub const fn reconfigure(&mut self, params: Params, layout: Layout) {
        self.params = params;
        self.layout = layout;
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
        self.leave_out(members);
        self.collect_open(members, now_ns);
        let must_panic = self.must_panic();
        let was_panicking = std::mem::replace(&mut self.is_panicking, must_panic);
        self.judge();
        self.lay_out(members);
        match (was_panicking, self.is_panicking) {
            (false, true) => Some(PanicChange::Began),
            (true, false) => Some(PanicChange::Ended),
            _ => None,
        }
    }

    /// Leaves out whom probes found unhealthy, as if they were not there; unless nobody else is.
    fn leave_out<M: Member>(&mut self, members: &[M]) {
        let has_healthy = members.iter().any(|member| !member.is_unhealthy());
        let verdict = |member: &M| match has_healthy && member.is_unhealthy() {
            true => Verdict::Ejected,
            false => Verdict::Ready,
        };
        self.verdicts.clear();
        self.verdicts.extend(members.iter().map(verdict));
        let is_judged = |verdict: &&Verdict| **verdict == Verdict::Ready;
        self.judged = self.verdicts.iter().filter(is_judged).count() as u32;
    }

    /// Notes the open endpoints, the earliest opened first, and when the next of them may return.
    fn collect_open<M: Member>(&mut self, members: &[M], now_ns: u64) {
        self.open.clear();
        self.due_ns = u64::MAX;
        for (position, member) in (0..).zip(members) {
            if self.verdicts[position as usize] == Verdict::Ejected {
                continue;
            }
            if let Standing::Open { since_ns, until_ns } = standing(member, now_ns) {
                self.open.push((since_ns, position));
                self.due_ns = self.due_ns.min(until_ns);
            }
        }
        self.open.sort_unstable();
    }

    fn must_panic(&self) -> bool {
        let count = self.judged;
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
    }

    /// Makes the pools anew.
    fn lay_out<M: Member>(&mut self, members: &[M]) {
        let Layout {
            prefers_near,
            groups,
            overflow,
        } = self.layout;
        self.sizes.clear();
        self.sizes.resize(groups, Size::default());
        for (member, verdict) in members.iter().zip(&self.verdicts) {
            if let Some(size) = member.group().and_then(|group| self.sizes.get_mut(group)) {
                size.total += 1;
                size.ready += u32::from(*verdict != Verdict::Ejected);
            }
        }
        let of_group = |group: usize| {
            let reach = overflow.reach(&self.sizes, group);
            let belongs = |member: &M| member.group().is_some_and(|group| reach.contains(&group));
            Pool::new(members, &self.verdicts, prefers_near, belongs)
        };
        self.pools = (0..groups).map(of_group).collect();
        self.pools
            .push(Pool::new(members, &self.verdicts, prefers_near, |_| true));
    }

    fn ceiling(&self) -> usize {
        let count = self.judged as usize;
        let share = self.params.max_ejected.of(count as u64) as usize;
        share.max(1).min(count.saturating_sub(1))
    }

    /// The verdict on one endpoint.
    #[must_use]
    pub fn verdict(&self, endpoint: u32) -> Verdict {
        self.verdicts
            .get(endpoint as usize)
            .copied()
            .unwrap_or(Verdict::Ejected)
    }

    /// The endpoints that a request of this group may have, in order; of everybody without one.
    #[must_use]
    pub fn ready(&self, group: Option<usize>) -> &[u32] {
        self.pool(group)
            .map_or(&[], |pool| pool.ready().positions())
    }

    fn pool(&self, group: Option<usize>) -> Option<&Pool> {
        self.pools.get(self.place_of(group))
    }

    fn place_of(&self, group: Option<usize>) -> usize {
        group.map_or(self.layout.groups, |group| group.min(self.layout.groups))
    }

    /// How large each instance group is.
    #[must_use]
    pub fn sizes(&self) -> &[Size] {
        &self.sizes
    }

    /// Whether an endpoint other than this one may be picked for a request of this group.
    #[must_use]
    pub fn has_another(&self, group: Option<usize>, endpoint: u32) -> bool {
        let ready = self.ready(group);
        ready.len() > usize::from(ready.binary_search(&endpoint).is_ok())
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

#[cfg(test)]
mod tests;
