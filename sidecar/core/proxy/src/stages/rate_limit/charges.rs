//! What one request was charged and may have to give back: everything if it leaves while it waits in the line of a
//! leaky bucket, its place among those in flight when it ends.

use std::rc::Rc;

use policy::deadline::Deadline;
use policy::rate_limit::{Ask, Limiter, Standing};
use policy::{Moment, Reason};
use tokio::time::{Instant, timeout_at};

use super::statement::Passed;
use super::usage::Usage;
use super::{Refusal, Rule, subject};
use crate::request::Response;
use crate::tally::increment;
use crate::worker::Worker;

/// The charges of one request. Dropping them gives back, once, what goes back.
#[derive(Debug)]
pub(crate) struct Charges {
    worker: Rc<Worker>,
    usage: Rc<Usage>,
    held: Vec<Held>,
    /// Limits that charge nothing, to be counted once the request goes on.
    passed: Vec<Passed>,
    is_waiting: bool,
    /// What it was charged elsewhere.
    others: Option<Box<Charges>>,
}

#[derive(Debug)]
struct Held {
    rule: Rc<Rule>,
    ask: Ask,
    is_exempt: bool,
}

impl Held {
    /// Whether a line in shadow had no place for the request any more.
    fn is_evicted_in_shadow(&mut self, limiter: &mut Limiter, now: Moment) -> bool {
        self.rule.stated.is_shadow && limiter.standing(&mut self.ask, now) == Standing::Evicted
    }
}

/// Where a request stands in all the lines that it is in.
enum Turn {
    Now,
    At(u64),
    /// The one at this place among the charges had no place for it any more.
    Lost(usize),
}

impl Charges {
    pub(super) fn new(worker: &Rc<Worker>, usage: &Rc<Usage>, is_waiting: bool) -> Self {
        Self {
            worker: Rc::clone(worker),
            usage: Rc::clone(usage),
            held: Vec::new(),
            passed: Vec::new(),
            is_waiting,
            others: None,
        }
    }

    /// The charges of a request here and there.
    pub(super) fn both(here: Option<Self>, there: Option<Self>) -> Option<Self> {
        let Some(mut here) = here else { return there };
        here.others = there.map(Box::new);
        Some(here)
    }

    pub(super) fn add(&mut self, rule: &Rc<Rule>, ask: Ask, is_exempt: bool) {
        self.held.push(Held {
            rule: Rc::clone(rule),
            ask,
            is_exempt,
        });
    }

    pub(super) fn pass(&mut self, passed: Passed) {
        self.passed.push(passed);
    }

    /// Whether the request has to wait for its turn.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting
            || self
                .others
                .as_ref()
                .is_some_and(|others| others.is_waiting())
    }

    /// Resolves when every line lets the request go on.
    pub(crate) async fn turn(&mut self, deadline: Option<Deadline>) -> Result<(), Refusal> {
        self.wait(deadline).await?;
        if let Some(others) = &mut self.others {
            others.wait(deadline).await?;
            others.go_on();
        }
        self.go_on();
        Ok(())
    }

    async fn wait(&mut self, deadline: Option<Deadline>) -> Result<(), Refusal> {
        let usage = Rc::clone(&self.usage);
        loop {
            let stirred = usage.stirred();
            let until_ns = match self.look() {
                Turn::Now => break,
                Turn::Lost(place) => return Err(self.evicted(place)),
                Turn::At(until_ns) => until_ns,
            };
            let at_ns = deadline.map_or(u64::MAX, |deadline| deadline.at_ns());
            if timeout_at(self.instant(until_ns.min(at_ns)), stirred)
                .await
                .is_err()
                && at_ns < until_ns
            {
                return Err(Refusal::new(Reason::TimeoutRequest));
            }
        }
        Ok(())
    }

    fn look(&mut self) -> Turn {
        let now = self.now();
        self.usage.change(|limiters| {
            let mut latest_ns = 0;
            for (place, held) in self.held.iter_mut().enumerate() {
                if held.rule.stated.is_shadow {
                    continue;
                }
                match limiters[held.ask.limiter()].standing(&mut held.ask, now) {
                    Standing::Free => {}
                    Standing::Waits { until_ns } => latest_ns = until_ns.max(latest_ns),
                    Standing::Evicted => return Turn::Lost(place),
                }
            }
            if latest_ns > now.now_ns {
                Turn::At(latest_ns)
            } else {
                Turn::Now
            }
        })
    }

    /// Charges what the answer says that the request cost, once.
    pub(crate) fn note_answer(&mut self, response: &dyn Response) {
        let now = self.now();
        let charge = |held: &mut Held| {
            let Some(cost) = subject::cost_after(&held.rule.limit.cost, response) else {
                return true;
            };
            self.usage.change(|limiters| {
                limiters[held.ask.limiter()].charge_after(&mut held.ask, cost, now);
            });
            false
        };
        self.held.retain_mut(charge);
        if let Some(others) = &mut self.others {
            others.note_answer(response);
        }
    }

    /// The wait is over: what was charged stays charged, but for what is in flight.
    fn go_on(&mut self) {
        if !self.is_waiting {
            return;
        }
        self.is_waiting = false;
        self.passed.iter().for_each(Passed::count);
        for held in &self.held {
            held.rule.stated.count(held.is_exempt);
        }
        self.held.retain(|held| held.rule.is_held());
    }

    fn evicted(&self, place: usize) -> Refusal {
        let held = &self.held[place];
        let now = self.now();
        let limiters = self.usage.limiters();
        let retry_after_ns = limiters[held.ask.limiter()].retry_after_ns(&held.ask, now);
        Refusal {
            reason: Reason::RatelimitLeakyEvicted,
            ..held.rule.stated.refuse(retry_after_ns)
        }
    }

    fn now(&self) -> Moment {
        self.worker.moment(self.worker.clock.now_ns())
    }

    fn instant(&self, at_ns: u64) -> Instant {
        self.worker.clock.instant(at_ns)
    }
}

impl Drop for Charges {
    fn drop(&mut self) {
        let (now, is_waiting) = (self.now(), self.is_waiting);
        self.usage.change(|limiters| {
            for held in &mut self.held {
                let limiter = &mut limiters[held.ask.limiter()];
                if held.is_evicted_in_shadow(limiter, now) {
                    increment(&held.rule.stated.counts.shadow);
                } else if is_waiting {
                    limiter.refund(&mut held.ask, now);
                } else {
                    limiter.release(&mut held.ask, now);
                }
            }
        });
    }
}
