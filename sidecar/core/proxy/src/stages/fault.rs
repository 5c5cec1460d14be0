//! Fault: rehearsals. A share of the requests is slowed down or refused on purpose, until an instant that the
//! rehearsal itself names, so that it ends also when nobody is left to end it.
//!
//! Of several that concern a request the most specific does what it states, and the others what it leaves them, or as
//! each says of it. Each draws for itself, once for all that it does.

use std::cell::Cell;
use std::fmt::Write;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use policy::fault::{Contribution, Effects, fold};
use policy::{Moment, Percent, Reason};
use smallvec::SmallVec;

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
pub(crate) struct Faults {
    all: Vec<Fault>,
    /// The places of all in the order of their turns.
    turns: Vec<usize>,
}

/// What of each rehearsal of a service stands against a request.
type Met = SmallVec<[Effects; 4]>;

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
        Self {
            all: rules.iter().map(build).collect(),
            turns: turns(rules),
        }
    }

    /// What the same policy says of the same requests.
    fn find(&self, rules: &config::Fault) -> Option<&Fault> {
        let is_same = |known: &config::Fault| {
            known.policy.is_same_object(&rules.policy) && known.reach.only == rules.reach.only
        };
        self.all.iter().find(|fault| is_same(&fault.rules))
    }

    pub(crate) fn iter(&self) -> slice::Iter<'_, Fault> {
        self.all.iter()
    }

    /// The rehearsals that concern a request, in the order of their policies, each with what of it stands.
    pub(crate) fn met(
        &self,
        governed: Governed<'_>,
        at: Moment,
    ) -> impl Iterator<Item = (&Fault, Effects)> {
        let effects = |fault: &Fault| fault.rules.effects().only_if(fault.concerns(governed, at));
        let concerning: Met = self.iter().map(effects).collect();
        let standing = self.standing(&concerning);
        let met = self.iter().zip(concerning).zip(standing);
        met.filter(|((_, concerning), _)| !concerning.is_empty())
            .map(|((fault, _), standing)| (fault, standing))
    }

    /// What others leave of each. Those in shadow are nothing to the others, which they meet as if they acted too.
    fn standing(&self, concerning: &[Effects]) -> Met {
        if self.all.len() == 1 {
            return concerning.into();
        }
        let acting = self.folded(concerning, |fault| !fault.rules.is_shadow);
        let foreseen = self.folded(concerning, |_| true);
        let both = self.iter().zip(acting.into_iter().zip(foreseen));
        both.map(|(fault, (acting, foreseen))| {
            if fault.rules.is_shadow {
                foreseen
            } else {
                acting
            }
        })
        .collect()
    }

    /// What stands of those that are `counted`, were there no others.
    fn folded(&self, concerning: &[Effects], counted: impl Fn(&Fault) -> bool) -> Met {
        let contribution = |&place: &usize| Contribution {
            merge: self.all[place].rules.merge,
            effects: concerning[place].only_if(counted(&self.all[place])),
        };
        let mut contributions: SmallVec<[_; 4]> = self.turns.iter().map(contribution).collect();
        fold(&mut contributions);
        let mut standing = Met::from_elem(Effects::default(), self.all.len());
        for (place, left) in self.turns.iter().zip(contributions) {
            standing[*place] = left.effects;
        }
        standing
    }

    /// What is done to a request, if anything is or would be.
    pub(crate) fn draw(
        &self,
        worker: &Rc<Worker>,
        governed: Governed<'_>,
        now_ns: u64,
    ) -> Option<Box<Injected>> {
        if self.all.is_empty() {
            return None;
        }
        let at = worker.moment(now_ns);
        let hits = |(fault, effects): &(&Fault, Effects)| {
            !effects.is_empty() && worker.chance.hits(fault.rules.share)
        };
        let mut injected: Option<Box<Injected>> = None;
        for (fault, effects) in self.met(governed, at).filter(hits) {
            let injected = injected.get_or_insert_default();
            fault
                .counts(effects)
                .for_each(|(_, count)| increment(count));
            match fault.rules.is_shadow {
                true => injected.foresee(fault, effects),
                false => injected.add(fault, effects, worker, governed.request, at),
            }
        }
        injected
    }
}

/// The places of rehearsals in the order of their turns.
fn turns(rules: &[Arc<config::Fault>]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..rules.len()).collect();
    places.sort_by_key(|&place| rules[place].turn);
    places
}

impl Fault {
    /// Whether the request is one of those that it draws from.
    pub(crate) fn concerns(&self, governed: Governed<'_>, at: Moment) -> bool {
        !self.is_over(at) && governed.is_in(&self.rules.reach, &self.rules.matches)
    }

    pub(crate) fn is_over(&self, at: Moment) -> bool {
        at.unix_ns >= self.rules.until_unix_ns
    }

    /// The refusal of those that it aborts, where these of its effects stand.
    pub(crate) fn refusal(&self, effects: Effects) -> Option<Refusal> {
        let status = self.rules.abort.filter(|_| effects.contain(Effects::ABORT));
        Some(Refusal {
            status: Some(status?),
            ..Refusal::new(Reason::FaultInjected).by(Some(Arc::clone(&self.rules.policy)))
        })
    }

    /// Whether every request meets it that it concerns.
    pub(crate) fn is_for_all(&self) -> bool {
        !self.rules.is_shadow && self.rules.share >= Percent::new(100)
    }

    /// What stands of it in words, such as `5 % of requests wait 200ms, get 503, for another 1740s`.
    pub(crate) fn tell(&self, effects: Effects, at: Moment) -> String {
        let rules = &self.rules;
        let percent = f64::from(rules.share.millionths()) / 1e4;
        let done = match effects.is_empty() {
            true => " meet others in its place,".to_owned(),
            false => self.done(effects),
        };
        let left_ns = rules.until_unix_ns.saturating_sub(at.unix_ns);
        let left = Duration::from_secs(left_ns / 1_000_000_000);
        let shadow = if rules.is_shadow { "; in shadow" } else { "" };
        format!("{percent} % of requests{done} for another {left:?}{shadow}")
    }

    fn done(&self, effects: Effects) -> String {
        let rules = &self.rules;
        let stands = |effect| effects.contain(effect);
        let delay = Duration::from_nanos(rules.delay_ns);
        let abort = rules.abort.filter(|_| stands(Effects::ABORT));
        let bytes = rules.bytes_per_second();
        let done = [
            stands(Effects::DELAY).then(|| format!(" wait {delay:?},")),
            abort.map(|status| format!(" get {status},")),
            bytes
                .filter(|_| stands(Effects::BANDWIDTH))
                .map(|bytes| format!(" get {bytes} bytes a second,")),
        ];
        done.into_iter().flatten().collect()
    }

    /// These effects, each with how many requests met it.
    pub(crate) fn counts(
        &self,
        effects: Effects,
    ) -> impl Iterator<Item = (&'static str, &Cell<u64>)> {
        let counts = &self.counts;
        let all = [
            (Effects::DELAY, "delay", &counts.delays),
            (Effects::ABORT, "abort", &counts.aborts),
            (Effects::BANDWIDTH, "bandwidth", &counts.bandwidths),
        ];
        let among = all
            .into_iter()
            .filter(move |(effect, ..)| effects.contain(*effect));
        among.map(|(_, word, count)| (word, count))
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

    /// Does what stands of one: of those of a service, no two do the same.
    fn add(
        &mut self,
        fault: &Fault,
        effects: Effects,
        worker: &Rc<Worker>,
        request: &dyn Request,
        at: Moment,
    ) {
        if effects.contain(Effects::DELAY) {
            self.delay_ns = fault.rules.delay_ns;
        }
        if let Some(refusal) = fault.refusal(effects) {
            self.abort = Some(Box::new(refusal));
        }
        if effects.contain(Effects::BANDWIDTH) {
            self.throttle = fault.throttle(worker, request, at);
        }
        for (effect, _) in fault.counts(effects) {
            let comma = if self.marks.is_empty() { "" } else { ", " };
            // Writing to memory does not fail.
            let _ = write!(
                self.marks,
                "{comma}{effect};policy=\"{}\"",
                fault.rules.policy
            );
        }
    }

    fn foresee(&mut self, fault: &Fault, effects: Effects) {
        if let Some(refusal) = fault.refusal(effects) {
            self.would_refuse = Some(Box::new(refusal));
        }
    }
}

#[cfg(test)]
mod tests;
