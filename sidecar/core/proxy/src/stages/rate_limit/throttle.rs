//! Bandwidth: the bytes of a body are read no faster than its limits allow, so that whoever sends them is pushed back
//! by its transport.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use policy::Moment;
use policy::rate_limit::bandwidth::Bandwidth;
use policy::rate_limit::{Arrival, Ask, Key, Limiter, WhenKeysFull, admit};
use smallvec::SmallVec;

use super::matching::Governed;
use super::subject::Subject;
use super::usage::Usage;
use super::{Limits, Refusal, Rule, matching, subject};
use crate::alarm::Alarm;
use crate::config::{Limit, LimitHeaders, LimitResponse, LimitRules};
use crate::tally::increment;
use crate::worker::Worker;

/// What holds up the bytes of one body in one direction.
#[derive(Debug)]
pub(crate) struct Throttle {
    worker: Rc<Worker>,
    usage: Rc<Usage>,
    pipes: SmallVec<[Pipe; 1]>,
    alarm: Alarm,
    /// What else does.
    other: Option<Box<Throttle>>,
}

/// One limit of bytes, and whose bytes these are.
#[derive(Debug)]
struct Pipe {
    rule: Rc<Rule>,
    key: Option<Key>,
    /// Whether they are charged, and read at once.
    is_exempt: bool,
    /// Which counts of the limiter they are; those of a limit that is gone hold nobody up.
    generation: u32,
}

impl Limits {
    /// The limits of bytes that `of` picks, with no header to tell a quota in. What was used of `old` ones is kept.
    pub(crate) fn of_bytes(
        rules: &[LimitRules],
        of: fn(&LimitRules) -> &[Limit],
        old: Option<&Self>,
        at: Moment,
    ) -> Self {
        let picked = rules.iter().map(|rules| LimitRules {
            limits: of(rules).to_vec(),
            resources: Vec::new(),
            response: LimitResponse {
                headers: LimitHeaders::None,
                ..rules.response
            },
            ..rules.clone()
        });
        Self::new(&picked.collect::<Vec<_>>(), 1, old, at)
    }

    /// Asks whether the bytes of a request have a place: a limit may refuse who is new while others have all.
    pub(crate) fn admit_bytes(
        &self,
        worker: &Rc<Worker>,
        governed: Governed<'_>,
    ) -> Result<(), Refusal> {
        let may_refuse =
            |rule: &&Rc<Rule>| rule.limit.params.when_keys_full == WhenKeysFull::Refuse;
        for rule in self.rules.iter().filter(may_refuse) {
            if let Some(pipe) = self.pipe(rule, governed)
                && self
                    .usage
                    .change(|limiters| pipe.is_refused(limiters, worker))
            {
                return Err(rule.stated.refuse(None));
            }
        }
        Ok(())
    }

    /// What holds up the bytes of a request's body, or of its answer's, if anything does.
    pub(crate) fn throttle(
        &self,
        worker: &Rc<Worker>,
        governed: Governed<'_>,
    ) -> Option<Box<Throttle>> {
        if self.rules.is_empty() {
            return None;
        }
        let pipes: SmallVec<[Pipe; 1]> = self
            .rules
            .iter()
            .filter_map(|rule| self.pipe(rule, governed))
            .collect();
        (!pipes.is_empty()).then(|| {
            Box::new(Throttle {
                worker: Rc::clone(worker),
                usage: Rc::clone(&self.usage),
                pipes,
                alarm: Alarm::default(),
                other: None,
            })
        })
    }

    fn pipe(&self, rule: &Rc<Rule>, governed: Governed<'_>) -> Option<Pipe> {
        let request = governed.request;
        if !governed.is_in(&rule.stated.reach, &rule.limit.matches) {
            return None;
        }
        let is_exempt = matching::is_exempt(&rule.stated.exempt, request);
        let key = match subject::of(&rule.limit, request, &self.hasher) {
            Subject::Keyed(key) => Some(key),
            _ => None,
        };
        Some(Pipe {
            rule: Rc::clone(rule),
            key,
            is_exempt,
            generation: self.usage.limiters()[rule.slot].generation(),
        })
    }
}

impl Throttle {
    /// What lets bytes through when both do, if there are both.
    pub(crate) fn both(one: Option<Box<Self>>, other: Option<Box<Self>>) -> Option<Box<Self>> {
        let Some(mut one) = one else { return other };
        one.other = Self::both(one.other.take(), other);
        Some(one)
    }

    /// Ready when some bytes may be read; how many.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        match (self.poll_own(cx), poll(&mut self.other, cx)) {
            (Poll::Ready(own), Poll::Ready(other)) => Poll::Ready(own.min(other)),
            _ => Poll::Pending,
        }
    }

    fn poll_own(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        loop {
            let at = self.worker.moment(self.worker.clock.now_ns());
            let wait_ns = match self.allowance(at) {
                Ok(bytes) => return Poll::Ready(bytes),
                Err(wait_ns) => wait_ns,
            };
            let until_ns = at.now_ns.saturating_add(wait_ns);
            ready!(self.alarm.poll(cx, &self.worker.clock, Some(until_ns)));
        }
    }

    /// How many bytes every limit lets through now; none yet: the time until all let some.
    fn allowance(&self, at: Moment) -> Result<usize, u64> {
        self.usage.change(|limiters| {
            let (mut bytes, mut wait_ns) = (usize::MAX, 0);
            for pipe in &self.pipes {
                match pipe.allowance(&mut limiters[pipe.rule.slot], at) {
                    Ok(allowed) => bytes = bytes.min(allowed),
                    Err(wait) => wait_ns = wait_ns.max(wait),
                }
            }
            if wait_ns > 0 { Err(wait_ns) } else { Ok(bytes) }
        })
    }

    /// Charges bytes that were read.
    pub(crate) fn spend(&mut self, bytes: u64) {
        spend(&mut self.other, bytes);
        let at = self.worker.moment(self.worker.clock.now_ns());
        self.usage.change(|limiters| {
            for pipe in &self.pipes {
                pipe.spend(limiters, bytes, at);
            }
        });
    }
}

impl Pipe {
    /// The figure in force; none once the limit is gone.
    fn bandwidth(&self, limiter: &Limiter) -> Option<Bandwidth> {
        let rate = limiter.params().algorithm.rate();
        let is_there = limiter.generation() == self.generation;
        rate.filter(|_| is_there)
            .map(|rate| Bandwidth::new(rate.requests()))
    }

    /// Whether its bytes wait for those before them.
    fn is_held_up(&self) -> bool {
        !self.is_exempt && !self.rule.stated.is_shadow
    }

    /// Whether it is new, and finds all places taken.
    fn is_refused(&self, limiters: &mut [Limiter], worker: &Worker) -> bool {
        let limiter = &mut limiters[self.rule.slot];
        let at = worker.moment(worker.clock.now_ns());
        let bandwidth = self.bandwidth(limiter).filter(|_| self.is_held_up());
        bandwidth.is_some_and(|bandwidth| bandwidth.refuses(limiter, self.key, at))
    }

    /// Charges bytes that were read; of those that nothing held up at most what there is.
    fn spend(&self, limiters: &mut [Limiter], bytes: u64, at: Moment) {
        let slot = self.rule.slot;
        let Some(bandwidth) = self.bandwidth(&limiters[slot]) else {
            return;
        };
        if self.is_held_up() {
            return bandwidth.spend(&mut limiters[slot], self.key, bytes, at);
        }
        let exempt = Arrival {
            at,
            left_ns: None,
            is_exempt: true,
        };
        admit(limiters, &mut [Ask::new(slot, self.key, bytes)], &exempt);
    }

    /// How many bytes may be read; of those exempt and in shadow any number, and of the latter it is told that none might.
    fn allowance(&self, limiter: &mut Limiter, at: Moment) -> Result<usize, u64> {
        let Some(bandwidth) = self.bandwidth(limiter).filter(|_| !self.is_exempt) else {
            return Ok(usize::MAX);
        };
        let allowed = bandwidth.allowance(limiter, self.key, at);
        if self.is_held_up() {
            return allowed.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        if allowed.is_err() {
            increment(&self.rule.stated.counts.shadow);
        }
        Ok(usize::MAX)
    }
}

/// Waits, if anything holds up the bytes; how many may be read.
pub(crate) fn poll(throttle: &mut Option<Box<Throttle>>, cx: &mut Context<'_>) -> Poll<usize> {
    match throttle {
        Some(throttle) => throttle.poll(cx),
        None => Poll::Ready(usize::MAX),
    }
}

/// Charges bytes, if anything counts them.
pub(crate) fn spend(throttle: &mut Option<Box<Throttle>>, bytes: u64) {
    if let Some(throttle) = throttle
        && bytes > 0
    {
        throttle.spend(bytes);
    }
}

/// Counts a body that is about to be read.
pub(crate) fn count(throttle: &Option<Box<Throttle>>) {
    if let Some(throttle) = throttle {
        let pipes = throttle.pipes.iter();
        pipes.for_each(|pipe| pipe.rule.stated.count(pipe.is_exempt));
        count(&throttle.other);
    }
}
