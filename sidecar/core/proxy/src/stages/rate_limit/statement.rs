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

    /// Counts what would be a refusal, were it not in shadow, and makes it.
    pub(super) fn would_refuse(&self, retry_after_ns: Option<u64>) -> Refusal {
        increment(&self.counts.shadow);
        self.refusal(retry_after_ns)
    }

    /// Counts a request that is admitted.
    pub(super) fn count(&self, is_exempt: bool) {
        increment(if is_exempt {
            &self.counts.exempt
        } else {
            &self.counts.allowed
        });
    }
}

impl Counts {
    /// Adds what became of others.
    pub(crate) fn add(&self, other: &Self) {
        let sum = |one: &Cell<u64>, other: &Cell<u64>| one.set(one.get() + other.get());
        sum(&self.allowed, &other.allowed);
        sum(&self.limited, &other.limited);
        sum(&self.exempt, &other.exempt);
        sum(&self.shadow, &other.shadow);
    }
}
