//! Rate limits: every limit that matches a request must admit it; all are charged, or none.

mod adaptation;
mod charges;
mod client;
mod door;
pub(crate) mod matching;
mod query;
mod quota;
pub(crate) mod resource;
mod statement;
pub(crate) mod subject;
pub(crate) mod throttle;
mod usage;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::RandomState;
use std::rc::Rc;

use adaptation::Moving;
pub(crate) use adaptation::Used;
pub(crate) use charges::Charges;
use matching::Governed;
use policy::Moment;
use policy::latency::RecentLatency;
use policy::rate_limit::{Algorithm, Arrival, Ask, Limiter, Params, Verdict, admit};
use quota::Label;
pub(crate) use quota::Quota;
use resource::Resources;
use smallvec::SmallVec;
pub(crate) use statement::{Counts, Statement};
use statement::{Objection, Passed};
use subject::Subject;
pub(crate) use subject::{cookie, network};
use usage::{Slot, Usage};

use super::Refusal;
use crate::config::{self, Follows, LimitRules};
use crate::worker::Worker;

/// The limits of one service on one side, with what was used of them.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    rules: Vec<Rc<Rule>>,
    /// The place in `rules` of the limit in each slot.
    places: Vec<usize>,
    /// How many share what is divided.
    members: Cell<u32>,
    /// How long attempts took lately; kept only where a limit follows it.
    latency: Option<Rc<RefCell<RecentLatency>>>,
    usage: Rc<Usage>,
    hasher: RandomState,
    pub(crate) resources: Resources,
}

/// One limit of one policy.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) stated: Statement,
    limit: config::Limit,
    /// What it says of itself; where its figure moves, all that share that have it together.
    label: Rc<RefCell<Rc<Label>>>,
    /// Where its figure is, if that moves.
    adaptive: Option<Rc<RefCell<Moving>>>,
    slot: Slot,
}

/// What a request asks of the limits that apply to it.
#[derive(Default)]
struct Asks {
    bound: SmallVec<[Ask; 4]>,
    exempt: SmallVec<[Ask; 4]>,
    /// Of limits that decide nothing; they count what is admitted by those that do.
    shadow: SmallVec<[Ask; 4]>,
    /// Limits that it is not charged by, and that admit it.
    passed: SmallVec<[Passed; 1]>,
    /// A limit in shadow that would refuse it, charged or not.
    objection: Option<Objection>,
    /// Whether it would stand in the line of a limit in shadow.
    would_wait: bool,
}

/// What became of a request that the limits admit.
#[derive(Default)]
pub(crate) struct Admission {
    /// What has to be given back, or waited for.
    pub(crate) charges: Option<Charges>,
    /// How a limit in shadow would have refused it.
    pub(crate) would_refuse: Option<Refusal>,
    /// Whether one would have had it wait.
    pub(crate) would_wait: bool,
}

impl Admission {
    /// What becomes of a request that is admitted here and there.
    pub(crate) fn and(self, there: Self) -> Self {
        Self {
            charges: Charges::both(self.charges, there.charges),
            would_refuse: self.would_refuse.or(there.would_refuse),
            would_wait: self.would_wait || there.would_wait,
        }
    }
}

impl Asks {
    /// Notes that a limit in shadow would refuse the request; the first one is named.
    fn object(&mut self, stated: &Statement) {
        let objection = || stated.objection(None);
        self.objection.get_or_insert_with(objection);
    }

    /// Of the limits in shadow one refuses, so none of the others admits.
    fn refuse_in_shadow(&mut self) {
        self.shadow.clear();
        self.passed.retain(|passed| !passed.is_in_shadow());
    }
}

impl Limits {
    /// The limits that `rules` state. What was used of `old` ones that count the same subjects is kept.
    pub(crate) fn new(rules: &[LimitRules], members: u32, old: Option<&Self>, at: Moment) -> Self {
        let mut limits = Self {
            members: Cell::new(members),
            resources: Resources::new(rules, old.map(|old| &old.resources)),
            ..Self::default()
        };
        let mut kept = HashMap::new();
        if let Some(old) = old {
            limits.hasher = old.hasher.clone();
            limits.usage = Rc::clone(&old.usage);
            kept = old.rules.iter().map(|rule| (rule.key(), rule)).collect();
        }
        for mut rule in rules.iter().flat_map(|rules| Rule::all(rules, at.now_ns)) {
            match kept.remove(&rule.key()) {
                Some(old) => rule.succeed(old, members, &limits.usage, at),
                None => rule.slot = limits.usage.enter(rule.params(members)),
            }
            limits.add(rule);
        }
        for gone in kept.into_values() {
            limits.usage.leave(gone.slot);
        }
        limits.latency = limits.follow(Follows::P99).then(|| {
            let old = old.and_then(|old| old.latency.clone());
            old.unwrap_or_else(adaptation::latency)
        });
        limits
    }

    fn add(&mut self, rule: Rule) {
        if self.places.len() <= rule.slot {
            self.places.resize(rule.slot + 1, 0);
        }
        self.places[rule.slot] = self.rules.len();
        self.rules.push(Rc::new(rule));
    }

    /// Divides what is divided among so many members from now on; what was used stays used.
    pub(crate) fn divide(&self, members: u32, at: Moment) {
        self.members.set(members);
        for rule in self.rules.iter().filter(|rule| rule.limit.is_divided) {
            self.usage.reconfigure(rule.slot, rule.params(members), at);
        }
    }

    /// Whether some limit follows what is measured of the cgroup.
    pub(crate) fn follows_gauges(&self) -> bool {
        !self.resources.is_empty() || self.follow(Follows::Cpu)
    }

    fn rule(&self, ask: &Ask) -> &Rc<Rule> {
        &self.rules[self.places[ask.limiter()]]
    }

    /// Asks every limit that applies, and charges and counts it by all or none. What is left is told in the answer's headers.
    ///
    /// Of a request that goes on to another service all charges are kept as if it waited, until that admits it too.
    pub(crate) fn admit(
        &self,
        worker: &Rc<Worker>,
        governed: Governed<'_>,
        (at, left_ns): (Moment, Option<u64>),
        quota: &mut Quota,
    ) -> Result<Admission, Refusal> {
        if self.rules.is_empty() && self.resources.is_empty() {
            return Ok(Admission::default());
        }
        let mut asks = Asks::default();
        self.ask(governed, &mut asks)?;
        let verdict = self.charge(&mut asks, at, left_ns);
        self.tell(&asks, at, quota);
        match verdict {
            Verdict::Admitted { wait_ns } => {
                let would_refuse = self.charge_shadow(&mut asks, at, left_ns);
                Ok(Admission {
                    charges: self.keep(worker, &asks, wait_ns > 0 || governed.way.leads_on),
                    would_refuse,
                    would_wait: asks.would_wait,
                })
            }
            Verdict::Refused {
                ask,
                retry_after_ns,
            } => Err(self.rule(&asks.bound[ask]).stated.refuse(retry_after_ns)),
        }
    }

    /// A refusal by limits elsewhere, for as long as those here would refuse the request, too.
    pub(crate) fn prolong(
        &self,
        mut refusal: Refusal,
        governed: Governed<'_>,
        at: Moment,
    ) -> Refusal {
        self.look(governed, at, |_, look| {
            if look.refuses {
                let both = refusal.retry_after_ns.zip(look.retry_after_ns);
                refusal.retry_after_ns = both.map(|(there, here)| there.max(here));
            }
        });
        refusal
    }

    /// Collects what the request asks of each limit that applies to it, in place: it is large.
    fn ask(&self, governed: Governed<'_>, asks: &mut Asks) -> Result<(), Refusal> {
        let request = governed.request;
        self.resources.check(governed, asks)?;
        for rule in &self.rules {
            if !governed.is_in(&rule.stated.reach, &rule.limit.matches) {
                continue;
            }
            let is_exempt = matching::is_exempt(&rule.stated.exempt, request);
            let key = match subject::of(&rule.limit, request, &self.hasher) {
                Subject::One => None,
                Subject::Keyed(key) => Some(key),
                Subject::Skipped => continue,
                Subject::Refused if is_exempt => None,
                Subject::Refused if rule.stated.is_shadow => {
                    asks.object(&rule.stated);
                    continue;
                }
                Subject::Refused => return Err(rule.stated.refuse(None)),
            };
            let ask = subject::ask(&rule.limit.cost, rule.slot, key, request);
            let list = match (is_exempt, rule.stated.is_shadow) {
                (true, _) => &mut asks.exempt,
                (false, true) => &mut asks.shadow,
                (false, false) => &mut asks.bound,
            };
            list.push(ask);
        }
        Ok(())
    }

    fn charge(&self, asks: &mut Asks, at: Moment, left_ns: Option<u64>) -> Verdict {
        let arrival = |is_exempt| Arrival {
            at,
            left_ns,
            is_exempt,
        };
        self.usage.change(|limiters| {
            let verdict = admit(limiters, &mut asks.bound, &arrival(false));
            if matches!(verdict, Verdict::Admitted { .. }) {
                admit(limiters, &mut asks.exempt, &arrival(true));
            }
            verdict
        })
    }

    /// Charges the limits in shadow, all or none, as they would be charged if they decided.
    fn charge_shadow(&self, asks: &mut Asks, at: Moment, left_ns: Option<u64>) -> Option<Refusal> {
        if let Some(objection) = asks.objection.take() {
            asks.refuse_in_shadow();
            return Some(objection.count());
        }
        if asks.shadow.is_empty() {
            return None;
        }
        let arrival = Arrival {
            at,
            left_ns,
            is_exempt: false,
        };
        let admit = |limiters: &mut [Limiter]| admit(limiters, &mut asks.shadow, &arrival);
        match self.usage.change(admit) {
            Verdict::Admitted { wait_ns } => {
                asks.would_wait = wait_ns > 0;
                None
            }
            Verdict::Refused {
                ask,
                retry_after_ns,
            } => {
                let rule = self.rule(&asks.shadow[ask]);
                asks.refuse_in_shadow();
                Some(rule.stated.objection(retry_after_ns).count())
            }
        }
    }

    fn tell(&self, asks: &Asks, at: Moment, quota: &mut Quota) {
        let limiters = self.usage.limiters();
        let told = asks.bound.iter().chain(&asks.exempt);
        for ask in told.filter(|ask| !self.rule(ask).stated.is_shadow) {
            let left = limiters[ask.limiter()].left_after(ask, at);
            quota.note(&self.rule(ask).label.borrow(), left);
        }
    }

    /// Counts an admitted request, and keeps of its charges what may have to go back: all of one that still waits.
    fn keep(&self, worker: &Rc<Worker>, asks: &Asks, is_waiting: bool) -> Option<Charges> {
        let exempt = asks.exempt.iter().map(|ask| (ask, true));
        let bound = asks.bound.iter().chain(&asks.shadow);
        let all = bound.map(|ask| (ask, false)).chain(exempt);
        let begin = || Charges::new(worker, &self.usage, is_waiting);
        let mut charges = None;
        for passed in &asks.passed {
            if is_waiting {
                charges.get_or_insert_with(begin).pass(passed.clone());
            } else {
                passed.count();
            }
        }
        for (ask, is_exempt) in all {
            let rule = self.rule(ask);
            if !is_waiting {
                rule.stated.count(is_exempt);
            }
            if is_waiting || rule.is_held() {
                let charges = charges.get_or_insert_with(begin);
                charges.add(rule, *ask, is_exempt);
            }
        }
        charges
    }

    /// Hands every limit with its limiter to `each`.
    pub(crate) fn visit(&self, mut each: impl FnMut(&Rule, &mut Limiter)) {
        self.usage.change(|limiters| {
            for rule in &self.rules {
                each(rule, &mut limiters[rule.slot]);
            }
        });
    }

    /// What each limit that applies would say to a request now; nothing is charged.
    pub(crate) fn look(
        &self,
        governed: Governed<'_>,
        at: Moment,
        mut each: impl FnMut(&Rule, Look),
    ) {
        self.visit(|rule, limiter| {
            if let Some(look) = self.look_at(rule, limiter, governed, at) {
                each(rule, look);
            }
        });
    }

    /// None of a limit that does not apply.
    fn look_at(
        &self,
        rule: &Rule,
        limiter: &mut Limiter,
        governed: Governed<'_>,
        at: Moment,
    ) -> Option<Look> {
        let request = governed.request;
        if !governed.is_in(&rule.stated.reach, &rule.limit.matches) {
            return None;
        }
        let subject = subject::of(&rule.limit, request, &self.hasher);
        let key = match subject {
            Subject::Keyed(key) => Some(key),
            Subject::Skipped => return None,
            Subject::One | Subject::Refused => None,
        };
        let mut ask = subject::ask(&rule.limit.cost, rule.slot, key, request);
        limiter.find(&mut ask, at);
        let has_subject = subject != Subject::Refused;
        let retry_after_ns = limiter.retry_after_ns(&ask, at).filter(|_| has_subject);
        let is_exempt = matching::is_exempt(&rule.stated.exempt, request);
        let is_refused = retry_after_ns != Some(0) && !is_exempt;
        Some(Look {
            view: limiter.view_of(&ask, at),
            cost: ask.cost(),
            has_subject,
            is_exempt,
            would_refuse: is_refused && rule.stated.is_shadow,
            refuses: is_refused && !rule.stated.is_shadow,
            retry_after_ns,
        })
    }
}

/// What a limit would say to a request.
pub(crate) struct Look {
    pub(crate) view: policy::rate_limit::View,
    pub(crate) cost: u64,
    /// Whether nothing is missing of whom it counts the request as.
    pub(crate) has_subject: bool,
    pub(crate) is_exempt: bool,
    pub(crate) refuses: bool,
    /// Whether it would, were it not in shadow.
    pub(crate) would_refuse: bool,
    pub(crate) retry_after_ns: Option<u64>,
}

/// What has to be the same for a limit to keep what was used: its name, and whom it counts apart.
type RuleKey = (statement::Key, String);

impl Rule {
    fn all(rules: &LimitRules, now_ns: u64) -> impl Iterator<Item = Self> {
        rules.limits.iter().map(move |limit| Self {
            stated: Statement::new(
                rules,
                &limit.name,
                limit.reason,
                Some(rules.response.status),
            ),
            limit: limit.clone(),
            label: Rc::new(RefCell::new(Rc::new(Label::new(
                rules.response.headers,
                &limit.name,
                &limit.params.algorithm,
            )))),
            adaptive: adaptation::begin(limit, now_ns),
            slot: Slot::default(),
        })
    }

    /// Goes on where the limit was before it was edited.
    fn succeed(&mut self, old: &Self, members: u32, usage: &Usage, at: Moment) {
        self.slot = old.slot;
        self.stated.succeed(&old.stated);
        self.keep_figure(old);
        usage.reconfigure(self.slot, self.params(members), at);
    }

    /// The figures for one of so many members.
    fn params(&self, members: u32) -> Params {
        let mut params = self.limit.params;
        if let Some(adaptive) = &self.adaptive {
            params.algorithm = params.algorithm.of(adaptive.borrow().figure());
        }
        if self.limit.is_divided {
            params.algorithm = params.algorithm.divided(members);
        }
        params
    }

    fn key(&self) -> RuleKey {
        (self.stated.key(), format!("{:?}", self.limit.by))
    }

    /// Whether something is still to be done once a request was admitted; in shadow also to see who was evicted.
    const fn is_held(&self) -> bool {
        let has_line = matches!(self.limit.params.algorithm, Algorithm::LeakyBucket(_));
        self.limit.is_held() || (self.stated.is_shadow && has_line)
    }
}
