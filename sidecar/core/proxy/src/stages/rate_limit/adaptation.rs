//! Limits whose figure follows what is measured: every five seconds, by what was measured since.

use std::cell::RefCell;
use std::rc::Rc;

use policy::latency::RecentLatency;
use policy::rate_limit::adaptive::{Adaptive, INTERVAL_NS, Mean};
use policy::{Moment, Percent};

use super::{Limits, Rule};
use crate::config::{self, Follows, Limit, Scope};

const P99: Percent = Percent::new(99);

/// A figure that moves.
#[derive(Debug)]
pub(super) struct Moving {
    machine: Adaptive,
    follows: Follows,
    /// Of what is seen once a second.
    seen: Mean,
}

/// What is used now; none of what nobody knows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) cpu: Option<Percent>,
    pub(crate) queue: Option<Percent>,
}

/// No attempt yet.
pub(super) fn latency() -> Rc<RefCell<RecentLatency>> {
    Rc::new(RefCell::new(RecentLatency::over(INTERVAL_NS)))
}

/// The figure that people wrote, as the one to begin with, if it moves.
pub(super) fn begin(limit: &Limit, now_ns: u64) -> Option<Rc<RefCell<Moving>>> {
    let adaptive = limit.adaptive?;
    Some(Rc::new(RefCell::new(Moving {
        machine: Adaptive::new(adaptive.params, limit.params.algorithm.quota(), now_ns),
        follows: adaptive.follows,
        seen: Mean::default(),
    })))
}

impl Limits {
    /// Whether some limit follows this.
    pub(super) fn follow(&self, what: Follows) -> bool {
        let mut moving = self.rules.iter().filter_map(|rule| rule.adaptive.as_ref());
        moving.any(|moving| moving.borrow().follows == what)
    }

    /// Notes how long an attempt took.
    pub(crate) fn note_latency(&self, latency_ns: u64, now_ns: u64) {
        if let Some(latency) = &self.latency {
            latency.borrow_mut().record(latency_ns, now_ns);
        }
    }

    /// Sees what is used, once a second, and moves the figures whose time has come; what was charged stays so.
    pub(crate) fn adapt(&self, used: impl Fn(Option<&Scope>) -> Used, at: Moment) {
        for rule in &self.rules {
            let Some(moving) = &rule.adaptive else {
                continue;
            };
            let p99_ns = || {
                let latency = self.latency.as_ref()?;
                latency.borrow_mut().quantile_ns(P99, at.now_ns)
            };
            let used = used(rule.stated.scope());
            if moving.borrow_mut().adapt(used, p99_ns, at.now_ns) {
                let params = rule.params(self.members.get());
                self.usage.reconfigure(rule.slot, params, at);
                rule.tell_figure();
            }
        }
    }
}

impl Rule {
    /// Goes on from the figure that the limit had before it was edited.
    pub(super) fn keep_figure(&mut self, old: &Self) {
        let (Some(adaptive), Some(moving)) = (self.limit.adaptive, &old.adaptive) else {
            return;
        };
        moving.borrow_mut().reconfigure(adaptive);
        self.adaptive = Some(Rc::clone(moving));
        let own = std::mem::replace(&mut self.label, Rc::clone(&old.label));
        self.label.swap(&own);
        self.tell_figure();
    }

    /// Has clients be told the figure that holds now.
    fn tell_figure(&self) {
        let whole = self.params(1).algorithm;
        let label = self.label.borrow().of(&whole);
        self.label.replace(Rc::new(label));
    }
}

impl Moving {
    fn reconfigure(&mut self, adaptive: config::Adaptive) {
        self.machine.reconfigure(adaptive.params);
        if self.follows != adaptive.follows {
            self.follows = adaptive.follows;
            self.seen = Mean::default();
        }
    }

    pub(super) const fn figure(&self) -> u64 {
        self.machine.limit()
    }

    /// Whether the figure is another one now.
    fn adapt(&mut self, used: Used, p99_ns: impl Fn() -> Option<u64>, now_ns: u64) -> bool {
        let seen = match self.follows {
            Follows::P99 => None,
            Follows::Cpu => used.cpu,
            Follows::Queue => used.queue,
        };
        if let Some(seen) = seen {
            self.seen.add(seen.millionths().into());
        }
        if !self.machine.is_due(now_ns) {
            return false;
        }
        let measured = match self.follows {
            Follows::P99 => p99_ns(),
            Follows::Cpu | Follows::Queue => self.seen.take(),
        };
        let before = self.machine.limit();
        self.machine.adapt(measured, now_ns) != before
    }
}
