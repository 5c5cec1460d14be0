//! Fault: rehearsals. A share of the requests is slowed down or refused on purpose, until an instant that the
//! rehearsal itself names, so that it ends also when nobody is left to end it.
//!
//! Each rehearsal draws for itself, once for all that it does. Of several that a request meets the delays add up, the
//! first that aborts answers, and the slowest bandwidth holds.

use std::cell::Cell;
use std::fmt::Write;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use policy::{Moment, Percent, Reason};

use super::Refusal;
use super::rate_limit::Limits;
use super::rate_limit::matching::Governed;
use super::rate_limit::throttle::Throttle;
use crate::config;
use crate::request::Request;
use crate::tally::increment;
use crate::worker::Worker;

/// The field that names the rehearsals an answer met.
pub(crate) const MARK: &str = "breakwater-fault";

/// The rehearsals for one service.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

/// One rehearsal, with what it did.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) rules: Arc<config::Fault>,
    pub(crate) counts: Rc<Counts>,
}

/// How many requests met what.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    delays: Cell<u64>,
    aborts: Cell<u64>,
    bandwidths: Cell<u64>,
}

/// What is done to one request.
#[derive(Debug, Default)]
pub(crate) struct Injected {
    pub(crate) delay_ns: u64,
    pub(crate) abort: Option<Box<Refusal>>,
    /// What holds up the body of its answer.
    pub(crate) throttle: Option<Box<Throttle>>,
    /// How a rehearsal in shadow would have refused it.
    pub(crate) would_refuse: Option<Box<Refusal>>,
    /// What was done and by which policy: a list as in RFC 9651.
    pub(crate) marks: String,
}

impl Faults {
    /// The rehearsals that `rules` state; those of policies that `old` had go on counting.
    pub(crate) fn new(rules: &[Arc<config::Fault>], old: Option<&Self>) -> Self {
        let build = |rules: &Arc<config::Fault>| {
            let known = old.and_then(|old| old.find(rules));
            Fault {
                rules: Arc::clone(rules),
                counts: known.map_or_else(Rc::default, |known| Rc::clone(&known.counts)),
            }
        };
        Self(rules.iter().map(build).collect())
    }

    /// What the same policy says of the same requests.
    fn find(&self, rules: &config::Fault) -> Option<&Fault> {
        let is_same = |known: &config::Fault| {
            known.policy.is_same_object(&rules.policy) && known.reach.only == rules.reach.only
        };
        self.0.iter().find(|fault| is_same(&fault.rules))
    }

    pub(crate) fn iter(&self) -> slice::Iter<'_, Fault> {
        self.0.iter()
    }

    /// What is done to a request, if anything is or would be.
    pub(crate) fn draw(
        &self,
        worker: &Rc<Worker>,
        governed: Governed<'_>,
        now_ns: u64,
    ) -> Option<Box<Injected>> {
        if self.0.is_empty() {
            return None;
        }
        let at = worker.moment(now_ns);
        let concerns =
            |fault: &&Fault| fault.concerns(governed, at) && worker.chance.hits(fault.rules.share);
        let mut injected: Option<Box<Injected>> = None;
        for fault in self.0.iter().filter(concerns) {
            let injected = injected.get_or_insert_default();
            fault.effects().for_each(|(_, count)| increment(count));
            match fault.rules.is_shadow {
                true => injected.foresee(fault),
                false => injected.add(fault, worker, governed.request, at),
            }
        }
        injected
    }
}

impl Fault {
    /// Whether the request is one of those that it draws from.
    pub(crate) fn concerns(&self, governed: Governed<'_>, at: Moment) -> bool {
        !self.is_over(at) && governed.is_in(&self.rules.reach, &self.rules.matches)
    }

    pub(crate) fn is_over(&self, at: Moment) -> bool {
        at.unix_ns >= self.rules.until_unix_ns
    }

    /// The refusal of those that it aborts.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        Some(Refusal {
            status: Some(self.rules.abort?),
            ..Refusal::new(Reason::FaultInjected).by(Some(Arc::clone(&self.rules.policy)))
        })
    }

    /// Whether every request meets it that it concerns.
    pub(crate) fn is_for_all(&self) -> bool {
        !self.rules.is_shadow && self.rules.share >= Percent::new(100)
    }

    /// What it does in words, such as `5 % of requests wait 200ms, get 503, for another 1740s`.
    pub(crate) fn tell(&self, at: Moment) -> String {
        let rules = &self.rules;
        let percent = f64::from(rules.share.millionths()) / 1e4;
        let delay = Duration::from_nanos(rules.delay_ns);
        let effects = [
            (rules.delay_ns > 0).then(|| format!(" wait {delay:?},")),
            rules.abort.map(|status| format!(" get {status},")),
            rules
                .bytes_per_second()
                .map(|bytes| format!(" get {bytes} bytes a second,")),
        ];
        let effects: String = effects.into_iter().flatten().collect();
        let left_ns = rules.until_unix_ns.saturating_sub(at.unix_ns);
        let left = Duration::from_secs(left_ns / 1_000_000_000);
        let shadow = if rules.is_shadow { "; in shadow" } else { "" };
        format!("{percent} % of requests{effects} for another {left:?}{shadow}")
    }

    /// What it does, each with how many requests met it.
    pub(crate) fn effects(&self) -> impl Iterator<Item = (&'static str, &Cell<u64>)> {
        let (rules, counts) = (&self.rules, &self.counts);
        let delay = (rules.delay_ns > 0).then_some(("delay", &counts.delays));
        let abort = rules.abort.map(|_| ("abort", &counts.aborts));
        let bandwidth = rules.bandwidth.as_ref();
        let bandwidth = bandwidth.map(|_| ("bandwidth", &counts.bandwidths));
        delay.into_iter().chain(abort).chain(bandwidth)
    }

    fn throttle(
        &self,
        worker: &Rc<Worker>,
        request: &dyn Request,
        at: Moment,
    ) -> Option<Box<Throttle>> {
        let rules = slice::from_ref(self.rules.bandwidth.as_ref()?);
        Limits::of_bytes(rules, |rules| &rules.downloads, None, at)
            .throttle(worker, Governed::alone(request))
    }
}

impl Injected {
    /// What is done to a request here and there.
    pub(crate) fn both(here: Option<Box<Self>>, there: Option<Box<Self>>) -> Option<Box<Self>> {
        let (mut here, there) = match (here, there) {
            (Some(here), Some(there)) => (here, there),
            (here, there) => return here.or(there),
        };
        here.delay_ns = here.delay_ns.saturating_add(there.delay_ns);
        here.abort = here.abort.or(there.abort);
        here.throttle = Throttle::both(here.throttle, there.throttle);
        here.would_refuse = here.would_refuse.or(there.would_refuse);
        if !here.marks.is_empty() && !there.marks.is_empty() {
            here.marks.push_str(", ");
        }
        here.marks.push_str(&there.marks);
        Some(here)
    }

    fn add(&mut self, fault: &Fault, worker: &Rc<Worker>, request: &dyn Request, at: Moment) {
        let rules = &fault.rules;
        self.delay_ns = self.delay_ns.saturating_add(rules.delay_ns);
        self.abort = self.abort.take().or(fault.refusal().map(Box::new));
        self.throttle = Throttle::both(fault.throttle(worker, request, at), self.throttle.take());
        for (effect, _) in fault.effects() {
            let comma = if self.marks.is_empty() { "" } else { ", " };
            // Writing to memory does not fail.
            let _ = write!(self.marks, "{comma}{effect};policy=\"{}\"", rules.policy);
        }
    }

    fn foresee(&mut self, fault: &Fault) {
        let refusal = fault.refusal().map(Box::new);
        self.would_refuse = self.would_refuse.take().or(refusal);
    }
}

#[cfg(test)]
mod tests;
