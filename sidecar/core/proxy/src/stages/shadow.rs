//! Shadow: what would become of a call if the policies in shadow acted too. Breakers, bulkhead, admission control,
//! budget and the verdicts on endpoints are their own, and see the calls that are made, with the outcomes that these
//! have.
//!
//! A call that would be refused is judged no further, and takes nothing. One that would wait goes on at once, and is
//! told as refused when its turn had not come by the time it would have given up. An attempt whose headers came too late
//! counts as timed out; whether another one would have been made is told, and the budget pays for it. An attempt that
//! would have gone to another endpoint is told, and counts nowhere: what it would have brought there, nobody knows.

mod attempt;
mod foretold;

pub(crate) use attempt::Attempt;
pub(crate) use foretold::{Deed, Deeds, Foretold};

use std::rc::Rc;

use policy::ending::Ending;
use policy::{Criticality, Reason};

use super::endpoint::{Affinity, EndpointSet};
use super::retry::{self, Asked, Standing, Tries};
use super::{Refusal, admission, bulkhead};
use crate::clock::nanoseconds;
use crate::gate::{Entry, Permit, Wait};
use crate::live::Cluster;
use crate::tally::increment;
use crate::worker::Worker;

/// One call, as it stands with the policies in shadow.
#[derive(Debug)]
pub(crate) struct Foreseen {
    cluster: Rc<Cluster>,
    /// The endpoints as they stand there, where they are chosen by other rules, and what chooses among them.
    endpoints: Option<(Rc<EndpointSet>, Affinity)>,
    stay: Stay,
    tries: Tries,
    since_ns: u64,
    /// Whether the last attempt would have gone elsewhere: what it brought says nothing.
    is_elsewhere: bool,
    /// Whether its headers came too late.
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
    pub(crate) has_failed: bool,
    /// Whether a peer refused it for load.
    pub(crate) is_overload: bool,
    /// How long its headers took, and the whole.
    pub(crate) headers_ns: u64,
    pub(crate) latency_ns: u64,
}

impl Foreseen {
    /// Has a call meet what stands in shadow, or tells how that would refuse it.
    pub(crate) fn enter(
        cluster: &Rc<Cluster>,
        worker: &Worker,
        endpoints: &EndpointSet,
        (class, affinity): (Criticality, Option<Affinity>),
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
            endpoints: cluster.port(endpoints.port()).cloned().zip(affinity),
            stay,
            tries: tries.afresh(),
            since_ns: now_ns,
            is_elsewhere: false,
            is_late: false,
        })
    }

    /// Whether another attempt would be made; the budget pays for it.
    pub(crate) fn decide(
        &mut self,
        ending: Ending,
        asked: Asked,
        standing: Standing,
        draw: u64,
    ) -> bool {
        let (Some(block), Some(budget)) = (&self.cluster.config.retry, &self.cluster.budget) else {
            return false;
        };
        if self.is_elsewhere || !retry::concerns(&block.params, &ending, &asked) {
            return false;
        }
        let recent = self.cluster.recent.as_ref();
        let standing = Standing {
            p50_ns: recent.and_then(|recent| recent.borrow_mut().p50_ns(standing.now_ns)),
            ..standing
        };
        let decided = self
            .tries
            .decide(&block.params, budget, ending, asked, standing, draw);
        self.tries.use_spent();
        decided.is_some()
    }

    /// Notes that an attempt would have been made again.
    pub(crate) fn note_retry(&self, deeds: &mut Deeds) {
        self.note(deeds, Deed::Retry);
    }

    /// Leaves at the end of the call, which succeeded or did not; how it would have been refused.
    pub(crate) fn leave(
        self,
        has_succeeded: Option<bool>,
        is_stream: bool,
        now_ns: u64,
    ) -> Option<Refusal> {
        if let Some(is_success) = has_succeeded.filter(|_| !self.is_elsewhere) {
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
        if self.is_elsewhere {
            return None;
        }
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
