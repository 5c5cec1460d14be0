//! Limits whose figure follows what is measured: every five seconds, by how long attempts took since.

use std::cell::RefCell;
use std::rc::Rc;

use policy::latency::RecentLatency;
use policy::rate_limit::adaptive::{Adaptive, INTERVAL_NS};
use policy::{Moment, Percent};

use super::{Limits, Rule};
use crate::config::Limit;

const P99: Percent = Percent::new(99);

/// No attempt yet.
pub(super) fn latency() -> Rc<RefCell<RecentLatency>> {
    Rc::new(RefCell::new(RecentLatency::over(INTERVAL_NS)))
}

/// The figure that people wrote, as the one to begin with, if it moves.
pub(super) fn begin(limit: &Limit, now_ns: u64) -> Option<Rc<RefCell<Adaptive>>> {
    let begun = Adaptive::new(limit.adaptive?, limit.params.algorithm.quota(), now_ns);
    Some(Rc::new(RefCell::new(begun)))
}

impl Limits {
    /// Whether some limit follows how long attempts take.
    pub(super) fn follows_latency(&self) -> bool {
        self.rules.iter().any(|rule| rule.adaptive.is_some())
    }

    /// Notes how long an attempt took.
    pub(crate) fn note_latency(&self, latency_ns: u64, now_ns: u64) {
        if let Some(latency) = &self.latency {
            latency.borrow_mut().record(latency_ns, now_ns);
        }
    }

    /// Moves the figures whose time has come; what was used stays used.
    pub(crate) fn adapt(&self, at: Moment) {
        let Some(latency) = &self.latency else { return };
        let p99_ns = latency.borrow_mut().quantile_ns(P99, at.now_ns);
        for rule in &self.rules {
            if rule.adapt(p99_ns, at.now_ns) {
                let params = rule.params(self.members.get());
                self.usage.reconfigure(rule.slot, params, at);
            }
        }
    }
}

impl Rule {
    /// Goes on from the figure that the limit had before it was edited.
    pub(super) fn keep_figure(&mut self, old: &Self) {
        if let (Some(params), Some(old)) = (self.limit.adaptive, &old.adaptive) {
            old.borrow_mut().reconfigure(params);
            self.adaptive = Some(Rc::clone(old));
        }
    }

    /// Whether the figure is another one now.
    fn adapt(&self, p99_ns: Option<u64>, now_ns: u64) -> bool {
        let Some(adaptive) = &self.adaptive else {
            return false;
        };
        let mut adaptive = adaptive.borrow_mut();
        let before = adaptive.limit();
        adaptive.is_due(now_ns) && adaptive.adapt(p99_ns, now_ns) != before
    }
}
