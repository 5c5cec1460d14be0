//! Rate limits: every limit that matches a request must admit it; all are charged, or none.

mod matching;
mod quota;
mod subject;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::RandomState;
use std::rc::Rc;
use std::sync::Arc;

use policy::Moment;
use policy::rate_limit::{Arrival, Ask, Limiter, Verdict, admit};
use quota::Label;
pub(crate) use quota::Quota;
use smallvec::SmallVec;
use subject::Subject;

use super::Refusal;
use crate::config::{self, LimitRules};
use crate::name::PolicyRef;
use crate::request::Request;
use crate::tally::increment;

/// The limits of one service on one side, with what was used of them.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    rules: Vec<Rule>,
    limiters: RefCell<Vec<Limiter>>,
    hasher: RandomState,
}

/// One limit of one policy.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) policy: Arc<PolicyRef>,
    pub(crate) name: Arc<str>,
    limit: config::Limit,
    exempt: Arc<[config::Exemption]>,
    response: config::LimitResponse,
    label: Rc<Label>,
    pub(crate) counts: Counts,
}

/// What became of the requests that a limit applied to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) allowed: Cell<u64>,
    pub(crate) limited: Cell<u64>,
    pub(crate) exempt: Cell<u64>,
}

/// What a request asks of the limits that apply to it.
#[derive(Default)]
struct Asks {
    bound: SmallVec<[Ask; 4]>,
    exempt: SmallVec<[Ask; 2]>,
}

impl Limits {
    /// The limits that `rules` state. What was used of `old` ones that count the same subjects is kept.
    pub(crate) fn new(rules: &[LimitRules], old: Option<&Self>, at: Moment) -> Self {
        let mut limits = Self::default();
        let mut kept = old.map(Self::take).unwrap_or_default();
        if let Some(old) = old {
            limits.hasher = old.hasher.clone();
        }
        let mut limiters = Vec::new();
        for rule in rules.iter().flat_map(Rule::all) {
            let mut limiter = Limiter::new(rule.limit.params);
            if let Some((counts, used)) = kept.remove(&rule.key()) {
                rule.counts.take_over(&counts);
                limiter = used;
                limiter.reconfigure(rule.limit.params, at);
            }
            limiters.push(limiter);
            limits.rules.push(rule);
        }
        limits.limiters = RefCell::new(limiters);
        limits
    }

    /// Takes everything out: an older configuration asks no more.
    fn take(&self) -> HashMap<RuleKey, (Counts, Limiter)> {
        let limiters = self.limiters.take();
        let rules = self
            .rules
            .iter()
            .map(|rule| (rule.key(), rule.counts.clone()));
        rules
            .zip(limiters)
            .map(|((key, counts), limiter)| (key, (counts, limiter)))
            .collect()
    }

    /// Asks every limit that applies, and charges them all or none. What is left is told in the answer's headers.
    pub(crate) fn admit(
        &self,
        request: &dyn Request,
        at: Moment,
        quota: &mut Quota,
    ) -> Result<(), Refusal> {
        if self.rules.is_empty() {
            return Ok(());
        }
        let mut asks = self.asks(request)?;
        let mut limiters = self.limiters.borrow_mut();
        let arrival = |is_exempt| Arrival {
            at,
            left_ns: None,
            is_exempt,
        };
        let verdict = admit(&mut limiters, &mut asks.bound, &arrival(false));
        if matches!(verdict, Verdict::Admitted { .. }) {
            admit(&mut limiters, &mut asks.exempt, &arrival(true));
        }
        self.count(&asks, verdict);
        for ask in asks.bound.iter().chain(&asks.exempt) {
            let view = limiters[ask.limiter()].view_after(ask, at);
            quota.note(&self.rules[ask.limiter()].label, view);
        }
        match verdict {
            Verdict::Admitted { .. } => Ok(()),
            Verdict::Refused {
                ask,
                retry_after_ns,
            } => Err(self.rules[asks.bound[ask].limiter()].refusal(retry_after_ns)),
        }
    }

    fn asks(&self, request: &dyn Request) -> Result<Asks, Refusal> {
        let mut asks = Asks::default();
        for (place, rule) in self.rules.iter().enumerate() {
            if !matching::applies(&rule.limit.matches, request) {
                continue;
            }
            let is_exempt = matching::is_exempt(&rule.exempt, request);
            let key = match subject::of(&rule.limit, request, &self.hasher) {
                Subject::One => None,
                Subject::Keyed(key) => Some(key),
                Subject::Skipped => continue,
                Subject::Refused if !is_exempt => return Err(rule.refuse_missing()),
                Subject::Refused => None,
            };
            let ask = Ask::new(place, key, subject::cost(&rule.limit.cost, request));
            if is_exempt {
                asks.exempt.push(ask)
            } else {
                asks.bound.push(ask)
            }
        }
        Ok(asks)
    }

    fn count(&self, asks: &Asks, verdict: Verdict) {
        match verdict {
            Verdict::Admitted { .. } => {
                let counts = |ask: &Ask| &self.rules[ask.limiter()].counts;
                asks.bound
                    .iter()
                    .for_each(|ask| increment(&counts(ask).allowed));
                asks.exempt
                    .iter()
                    .for_each(|ask| increment(&counts(ask).exempt));
            }
            Verdict::Refused { ask, .. } => {
                increment(&self.rules[asks.bound[ask].limiter()].counts.limited);
            }
        }
    }

    /// Hands every limit with its limiter to `each`.
    pub(crate) fn visit(&self, mut each: impl FnMut(&Rule, &mut Limiter)) {
        let mut limiters = self.limiters.borrow_mut();
        self.rules
            .iter()
            .zip(limiters.iter_mut())
            .for_each(|(rule, limiter)| each(rule, limiter));
    }

    /// What each limit that applies would say to a request now; nothing is charged.
    pub(crate) fn look(
        &self,
        request: &dyn Request,
        at: Moment,
        mut each: impl FnMut(&Rule, Look),
    ) {
        let limiters = self.limiters.borrow();
        for (rule, limiter) in self.rules.iter().zip(limiters.iter()) {
            if !matching::applies(&rule.limit.matches, request) {
                continue;
            }
            let key = match subject::of(&rule.limit, request, &self.hasher) {
                Subject::Keyed(key) => Some(key),
                Subject::Skipped => continue,
                Subject::One | Subject::Refused => None,
            };
            each(
                rule,
                Look {
                    view: limiter.view(key, at),
                    cost: subject::cost(&rule.limit.cost, request),
                    is_exempt: matching::is_exempt(&rule.exempt, request),
                },
            );
        }
    }
}

/// What a limit would say to a request.
pub(crate) struct Look {
    pub(crate) view: policy::rate_limit::View,
    pub(crate) cost: u64,
    pub(crate) is_exempt: bool,
}

/// What has to be the same for a limit to keep what was used: its name, and whom it counts apart.
type RuleKey = (Arc<PolicyName>, Arc<str>, String);
type PolicyName = str;

impl Rule {
    fn all(rules: &LimitRules) -> impl Iterator<Item = Self> {
        let exempt: Arc<[config::Exemption]> = rules.exempt.clone().into();
        rules.limits.iter().map(move |limit| Self {
            policy: Arc::clone(&rules.policy),
            name: Arc::from(&*limit.name),
            limit: limit.clone(),
            exempt: Arc::clone(&exempt),
            response: rules.response,
            label: Rc::new(Label::new(
                rules.response.headers,
                &limit.name,
                &limit.params.algorithm,
            )),
            counts: Counts::default(),
        })
    }

    fn key(&self) -> RuleKey {
        let policy = self.policy.to_string().into();
        (
            policy,
            Arc::clone(&self.name),
            format!("{:?}", self.limit.by),
        )
    }

    pub(crate) fn refusal(&self, retry_after_ns: Option<u64>) -> Refusal {
        Refusal {
            status: Some(self.response.status),
            limit: Some(Arc::clone(&self.name)),
            has_problem: self.response.problem,
            ..Refusal::new(self.limit.params.algorithm.reason())
                .by(Some(Arc::clone(&self.policy)))
                .after(retry_after_ns)
        }
    }

    fn refuse_missing(&self) -> Refusal {
        increment(&self.counts.limited);
        self.refusal(None)
    }
}

impl Counts {
    fn take_over(&self, old: &Self) {
        self.allowed.set(old.allowed.get());
        self.limited.set(old.limited.get());
        self.exempt.set(old.exempt.get());
    }
}
