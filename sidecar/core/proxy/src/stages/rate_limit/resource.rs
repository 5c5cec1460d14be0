//! Limits of what the whole cgroup uses: nothing is charged, and while too much is used requests are refused.
//!
//! Whether it is too much is decided whenever the gauges are read, once a second; a request only looks.

use std::cell::Cell;
use std::collections::HashMap;

use policy::rate_limit::strain::{Resource, Strain};
use policy::{Percent, Reason};

use super::matching::Governed;
use super::statement::Statement;
use super::{Asks, Refusal, matching};
use crate::config::{LimitRules, ResourceLimit};
use crate::gauges::Gauges;

/// The limits of resources of one service.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    rules: Vec<Rule>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) stated: Statement,
    limit: ResourceLimit,
    /// By place of the thresholds.
    strains: Vec<Cell<Strain>>,
    /// How much was used of that which is used most; none when nobody knows.
    used: Cell<Option<Percent>>,
}

/// What a limit would say to a request.
pub(crate) struct Look {
    pub(crate) is_exempt: bool,
    pub(crate) refuses: bool,
    /// Whether it would, were it not in shadow.
    pub(crate) would_refuse: bool,
}

impl Resources {
    /// The limits that `rules` state. What was too much in `old` ones still is, until it is measured again.
    pub(crate) fn new(rules: &[LimitRules], old: Option<&Self>) -> Self {
        let old = old.map(|old| old.rules.as_slice()).unwrap_or_default();
        let mut old: HashMap<_, _> = old.iter().map(|rule| (rule.stated.key(), rule)).collect();
        let of_policy = |rules: &LimitRules| {
            let limits = rules.resources.iter();
            limits
                .map(|limit| Rule::new(rules, limit))
                .collect::<Vec<_>>()
        };
        let mut all: Vec<Rule> = rules.iter().flat_map(of_policy).collect();
        for rule in &mut all {
            if let Some(old) = old.remove(&rule.stated.key()) {
                rule.succeed(old);
            }
        }
        Self { rules: all }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Looks at the gauges.
    pub(crate) fn observe(&self, gauges: &Gauges) {
        self.rules.iter().for_each(|rule| rule.observe(gauges));
    }

    /// Asks every limit that applies. A refusal is counted; that a limit admits is noted only, since others may refuse.
    pub(super) fn check(&self, governed: Governed<'_>, asks: &mut Asks) -> Result<(), Refusal> {
        for (rule, look) in self.looks(governed) {
            if look.refuses {
                return Err(rule.stated.refuse(None));
            }
            if look.would_refuse {
                asks.object(&rule.stated);
            } else {
                asks.passed.push(rule.stated.passed(look.is_exempt));
            }
        }
        Ok(())
    }

    /// What each limit that applies says to a request now; nothing is counted.
    pub(crate) fn looks<'a>(
        &'a self,
        governed: Governed<'a>,
    ) -> impl Iterator<Item = (&'a Rule, Look)> {
        let rules = self.rules.iter();
        rules.filter_map(move |rule| Some((rule, rule.look(governed)?)))
    }

    /// Every limit.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }
}

impl Rule {
    fn new(rules: &LimitRules, limit: &ResourceLimit) -> Self {
        Self {
            stated: Statement::new(rules, &limit.name, Reason::RatelimitResource, None),
            limit: limit.clone(),
            strains: vec![Cell::default(); limit.thresholds.len()],
            used: Cell::default(),
        }
    }

    /// Goes on where the limit was before it was edited.
    fn succeed(&mut self, old: &Self) {
        self.stated.succeed(&old.stated);
        self.used.set(old.used.get());
        for ((resource, _), strain) in self.limit.thresholds.iter().zip(&self.strains) {
            let was = old.limit.thresholds.iter().zip(&old.strains);
            let same = was.filter(|((other, _), _)| other == resource);
            same.for_each(|(_, was)| strain.set(was.get()));
        }
    }

    /// What nobody knows is not too much.
    fn observe(&self, gauges: &Gauges) {
        let mut most = None;
        for ((resource, thresholds), cell) in self.limit.thresholds.iter().zip(&self.strains) {
            let used = gauges.read(*resource);
            let mut strain = Strain::default();
            if let Some(used) = used {
                strain = cell.get();
                strain.observe(*thresholds, used);
            }
            cell.set(strain);
            most = most.max(used);
        }
        self.used.set(most);
    }

    /// None when it does not apply.
    fn look(&self, governed: Governed<'_>) -> Option<Look> {
        if !governed.is_in(&self.stated.reach, &self.limit.matches) {
            return None;
        }
        let is_exempt = matching::is_exempt(&self.stated.exempt, governed.request);
        let is_strained = self.strained().next().is_some() && !is_exempt;
        Some(Look {
            is_exempt,
            refuses: is_strained && !self.stated.is_shadow,
            would_refuse: is_strained && self.stated.is_shadow,
        })
    }

    /// What is used too much.
    pub(crate) fn strained(&self) -> impl Iterator<Item = Resource> {
        let watched = self.limit.thresholds.iter().zip(&self.strains);
        let strained = watched.filter(|(_, strain)| strain.get().is_strained());
        strained.map(|((resource, _), _)| *resource)
    }

    /// How much is used of that which is used most; none when nobody knows.
    pub(crate) const fn used(&self) -> Option<Percent> {
        self.used.get()
    }
}

#[cfg(test)]
mod tests;
