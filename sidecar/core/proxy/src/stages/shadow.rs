//! Shadow: what would become of a call if the policies in shadow acted too. Breaker, bulkhead, admission control and
//! budget are their own, and see the calls that are made, with the outcomes that these have.
//!
//! A call that would be refused is judged no further, and takes nothing. One that would wait goes on at once, and is
//! told as refused when its turn had not come by the time it would have given up. An attempt whose headers came too late
//! counts as timed out; whether another one would have been made is told, and the budget pays for it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use policy::ending::Ending;
use policy::{Criticality, Reason};
use smallvec::SmallVec;

use super::breaker::{self, Call};
use super::endpoint::EndpointSet;
use super::retry::{self, Asked, Standing, Tries};
use super::{Refusal, admission, bulkhead};
use crate::clock::nanoseconds;
use crate::gate::{Entry, Permit, Wait};
use crate::live::Cluster;
use crate::tally::increment;
use crate::worker::Worker;

/// What policies in shadow would have done.
#[derive(Debug, Default)]
pub(crate) struct Foretold {
    refused: RefCell<SmallVec<[(Reason, u64); 4]>>,
    /// Attempts that would have been made again.
    pub(crate) retries: Cell<u64>,
    /// Calls that would have waited.
    pub(crate) waits: Cell<u64>,
}

/// One call, as it stands with the policies in shadow.
#[derive(Debug)]
pub(crate) struct Foreseen {
    cluster: Rc<Cluster>,
    stay: Stay,
    call: Option<Call>,
    tries: Tries,
    since_ns: u64,
    /// What the last attempt came to too late for.
    is_late: bool,
}

/// The place of a call in the bulkhead.
#[derive(Debug)]
enum Stay {
    Free,
    Runs { _permit: Permit },
    Waits { wait: Wait, patience_ns: u64 },
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) ending: Ending,
    /// Whether a peer refused it for load.
    pub(crate) is_overload: bool,
    /// How long its headers took, and the whole.
    pub(crate) headers_ns: u64,
    pub(crate) latency_ns: u64,
}

impl Foretold {
    fn refuse(&self, reason: Reason) {
        let mut refused = self.refused.borrow_mut();
        match refused.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => refused.push((reason, 1)),
        }
    }

    /// Hands every reason and how often it was told to `each`.
    pub(crate) fn visit(&self, mut each: impl FnMut(Reason, u64)) {
        let refused = self.refused.borrow();
        refused
            .iter()
            .for_each(|(reason, count)| each(*reason, *count));
    }
}

impl Foreseen {
    /// Has a call meet what stands in shadow, or tells how that would refuse it.
    pub(crate) fn enter(
        cluster: &Rc<Cluster>,
        worker: &Worker,
        endpoints: &EndpointSet,
        class: Criticality,
        tries: &Tries,
        now_ns: u64,
    ) -> Result<Self, Refusal> {
        let admitted = admission::admit(cluster, endpoints, &worker.chance, now_ns);
        admitted.map_err(|refusal| told(cluster, refusal))?;
        let stay = enter_bulkhead(cluster, class)?;
        if let Some(budget) = &cluster.budget {
            budget.borrow_mut().deposit(now_ns);
        }
        Ok(Self {
            cluster: Rc::clone(cluster),
            stay,
            call: None,
            tries: tries.afresh(),
            since_ns: now_ns,
            is_late: false,
        })
    }

    /// Begins an attempt, or tells how the breaker would refuse the call; refused, another attempt would just not be
    /// made.
    pub(crate) fn begin(&mut self, worker: &Worker, now_ns: u64) -> Result<(), Refusal> {
        self.call = None;
        self.tries.begun += 1;
        match breaker::admit(worker, &self.cluster, now_ns) {
            Ok(call) => self.call = call,
            Err(refusal) if self.tries.begun == 1 => return Err(told(&self.cluster, refusal)),
            Err(_) => {}
        }
        Ok(())
    }

    /// Notes that the response headers are there.
    pub(crate) fn on_headers(&self, worker: &Worker, now_ns: u64) {
        if let Some(call) = &self.call {
            call.on_headers(worker, &self.cluster, now_ns);
        }
    }

    /// Counts whether another attempt would be made; where one `is_made`, that is no news.
    pub(crate) fn decide(
        &mut self,
        ending: Ending,
        asked: Asked,
        standing: Standing,
        draw: u64,
        is_made: bool,
    ) {
        let (Some(block), Some(budget)) = (&self.cluster.config.retry, &self.cluster.budget) else {
            return;
        };
        if !retry::concerns(&block.params, &ending, &asked) {
            return;
        }
        let decided = self
            .tries
            .decide(&block.params, budget, ending, asked, standing, draw);
        if decided.is_some() {
            self.tries.use_spent();
            if !is_made {
                increment(&self.cluster.foretold.retries);
            }
        }
    }

    /// Gives the breaker's permit back with what an attempt came to, by the time-outs in shadow.
    pub(crate) fn settle(&mut self, worker: &Worker, ended: Ended, now_ns: u64) {
        let cluster = &self.cluster;
        let per_try = cluster.timeouts.per_try.map(nanoseconds);
        self.is_late = per_try.is_some_and(|per_try_ns| ended.headers_ns > per_try_ns);
        let Some(call) = self.call.take() else { return };
        if ended.is_overload {
            return call.settle_overload(worker, cluster, now_ns);
        }
        let ending = if self.is_late {
            Ending::PerTryTimeout
        } else {
            ended.ending
        };
        let outcome = breaker::outcome(&cluster.config, false, &ending);
        call.settle(worker, cluster, outcome, ended.latency_ns, now_ns);
    }

    /// Leaves at the end of the call, which succeeded or did not; how it would have been refused.
    pub(crate) fn leave(
        self,
        has_succeeded: Option<bool>,
        is_stream: bool,
        now_ns: u64,
    ) -> Option<Refusal> {
        if let Some(is_success) = has_succeeded {
            let mut restraint = self.cluster.admission.borrow_mut();
            restraint.record(is_success, now_ns);
        }
        let stayed_ns = now_ns.saturating_sub(self.since_ns);
        let reason = self
            .overdue(stayed_ns)
            .or_else(|| self.timed_out(stayed_ns, is_stream))?;
        Some(told(&self.cluster, refusal(&self.cluster, reason)))
    }

    /// Whether it would have given up in line.
    fn overdue(&self, stayed_ns: u64) -> Option<Reason> {
        let Stay::Waits { wait, patience_ns } = &self.stay else {
            return None;
        };
        let is_overdue = !wait.is_called() && stayed_ns >= *patience_ns;
        is_overdue.then_some(Reason::BulkheadWaitTimeout)
    }

    fn timed_out(&self, stayed_ns: u64, is_stream: bool) -> Option<Reason> {
        let request = self.cluster.timeouts.request.map(nanoseconds);
        if request.is_some_and(|request_ns| stayed_ns > request_ns && !is_stream) {
            return Some(Reason::TimeoutRequest);
        }
        self.is_late.then_some(Reason::TimeoutPerTry)
    }
}

fn enter_bulkhead(cluster: &Cluster, class: Criticality) -> Result<Stay, Refusal> {
    let Some(gate) = &cluster.bulkhead else {
        return Ok(Stay::Free);
    };
    match gate.enter(class) {
        Entry::Open(permit) => Ok(Stay::Runs { _permit: permit }),
        Entry::Full => Err(told(cluster, refusal(cluster, Reason::BulkheadFull))),
        Entry::Wait(wait) => {
            increment(&cluster.foretold.waits);
            let patience_ns = gate.queue_timeout_ns(None);
            Ok(Stay::Waits { wait, patience_ns })
        }
    }
}

/// A refusal by the policy behind the stage that it comes from.
fn refusal(cluster: &Cluster, reason: Reason) -> Refusal {
    let config = &cluster.config;
    let policy = match reason {
        Reason::BulkheadFull | Reason::BulkheadWaitTimeout => bulkhead::policy_of(cluster),
        _ => config
            .timeouts
            .as_ref()
            .and_then(|block| block.policy.clone()),
    };
    Refusal::new(reason).by(policy)
}

/// Counts a refusal that is told.
fn told(cluster: &Cluster, refusal: Refusal) -> Refusal {
    cluster.foretold.refuse(refusal.reason);
    refusal
}
