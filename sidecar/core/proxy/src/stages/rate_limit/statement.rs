//! Where a limit is stated, how it refuses, and what became of the requests that it applied to.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use policy::Reason;

use super::Refusal;
use crate::config::{Exemption, LimitRules, Reach, Scope};
use crate::name::PolicyRef;
use crate::tally::increment;

/// What every limit has, whatever it counts.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) policy: Arc<PolicyRef>,
    pub(crate) name: Arc<str>,
    pub(super) exempt: Arc<[Exemption]>,
    pub(super) is_shadow: bool,
    /// The requests that it is for.
    pub(crate) reach: Reach,
    pub(crate) counts: Rc<Counts>,
    reason: Reason,
    /// Status of its refusals; none: that of the reason.
    status: Option<u16>,
    has_problem: bool,
}

/// What has to be the same for a limit to be the one that it was: its policy, whose requests it is for, and its name.
pub(super) type Key = (String, Option<String>, Arc<str>);

/// What became of the requests that a limit applied to.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) allowed: Cell<u64>,
    pub(crate) limited: Cell<u64>,
    pub(crate) exempt: Cell<u64>,
    /// What would have been refused in shadow.
    pub(crate) shadow: Cell<u64>,
}

/// A limit that admits a request, unless another one refuses it.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    counts: Rc<Counts>,
    is_exempt: bool,
    is_shadow: bool,
}

/// How a limit in shadow would refuse a request that those in force admit.
#[derive(Debug)]
pub(super) struct Objection {
    counts: Rc<Counts>,
    refusal: Refusal,
}

impl Passed {
    /// Whether it decides together with those in shadow.
    pub(super) const fn is_in_shadow(&self) -> bool {
        self.is_shadow && !self.is_exempt
    }

    /// Counts the request, which all admit.
    pub(super) fn count(&self) {
        self.counts.count(self.is_exempt);
    }
}

impl Objection {
    /// Counts what would be a refusal, and tells it.
    pub(super) fn count(self) -> Refusal {
        increment(&self.counts.shadow);
        self.refusal
    }
}

impl Statement {
    pub(super) fn new(rules: &LimitRules, name: &str, reason: Reason, status: Option<u16>) -> Self {
        Self {
            policy: Arc::clone(&rules.policy),
            name: name.into(),
            exempt: Arc::clone(&rules.exempt),
            is_shadow: rules.is_shadow,
            reach: rules.reach.clone(),
            counts: Rc::default(),
            reason,
            status,
            has_problem: rules.response.problem,
        }
    }

    pub(super) fn key(&self) -> Key {
        (
            self.policy.to_string(),
            self.route(),
            Arc::clone(&self.name),
        )
    }

    /// The route, or the rule of one, whose requests it is for; none: every request of the service.
    pub(crate) fn route(&self) -> Option<String> {
        self.scope().map(Scope::to_string)
    }

    /// The same, as it is.
    pub(super) const fn scope(&self) -> Option<&Scope> {
        self.reach.only.as_ref()
    }

    /// Goes on counting where the limit was before it was edited.
    pub(super) fn succeed(&mut self, old: &Self) {
        self.counts = Rc::clone(&old.counts);
    }

    pub(crate) fn refusal(&self, retry_after_ns: Option<u64>) -> Refusal {
        Refusal {
            status: self.status,
            limit: Some(Arc::clone(&self.name)),
            has_problem: self.has_problem,
            ..Refusal::new(self.reason)
                .by(Some(Arc::clone(&self.policy)))
                .after(retry_after_ns)
        }
    }

    /// Counts a refusal, and makes it.
    pub(super) fn refuse(&self, retry_after_ns: Option<u64>) -> Refusal {
        increment(&self.counts.limited);
        self.refusal(retry_after_ns)
    }

    /// What would be a refusal, were it not in shadow.
    pub(super) fn objection(&self, retry_after_ns: Option<u64>) -> Objection {
        Objection {
            counts: Rc::clone(&self.counts),
            refusal: self.refusal(retry_after_ns),
        }
    }

    /// That it admits a request, of which others are still to be asked.
    pub(super) fn passed(&self, is_exempt: bool) -> Passed {
        Passed {
            counts: Rc::clone(&self.counts),
            is_exempt,
            is_shadow: self.is_shadow,
        }
    }

    /// Counts a request that is admitted.
    pub(super) fn count(&self, is_exempt: bool) {
        self.counts.count(is_exempt);
    }
}

impl Counts {
    fn count(&self, is_exempt: bool) {
        increment(if is_exempt {
            &self.exempt
        } else {
            &self.allowed
        });
    }

    /// Adds what became of others.
    pub(crate) fn add(&self, other: &Self) {
        let sum = |one: &Cell<u64>, other: &Cell<u64>| one.set(one.get() + other.get());
        sum(&self.allowed, &other.allowed);
        sum(&self.limited, &other.limited);
        sum(&self.exempt, &other.exempt);
        sum(&self.shadow, &other.shadow);
    }
}
