//! An endpoint picked for one attempt, and what becomes of that.

use std::net::SocketAddr;
use std::rc::Rc;

use policy::Outcome;
use policy::balancer::penalty_ns;
use policy::breaker::{Permit, State};
use policy::outlier::Signal;

use super::EndpointSet;
use crate::live::Cluster;
use crate::upstream::Pools;
use crate::worker::Worker;

/// An endpoint picked for one attempt; dropping it gives what was taken back, uncounted.
#[derive(Debug)]
pub(crate) struct Picked {
    pub(super) set: Rc<EndpointSet>,
    pub(crate) id: u64,
    pub(super) group: Option<usize>,
    pub(super) position: usize,
    pub(super) permit: Option<Permit>,
    /// Whether its caller chose it itself, so that no other one will do.
    pub(super) is_chosen: bool,
    pub(crate) address: SocketAddr,
    pub(crate) has_sidecar: bool,
    pub(crate) pools: Rc<Pools>,
}

impl Picked {
    /// Whether an endpoint other than this one may be picked instead.
    pub(crate) fn has_another(&self) -> bool {
        !self.is_chosen && self.set.has_another(self.group, self.id)
    }

    /// Notes that the response headers are there.
    pub(crate) fn on_headers(&self, worker: &Worker, cluster: &Cluster, now_ns: u64) {
        let Some(permit) = &self.permit else { return };
        let has_moved = self.set.with(self.id, self.position, |endpoint| {
            let guard = endpoint.guard.as_mut()?;
            guard
                .machine
                .on_headers(permit, now_ns, worker.chance.draw());
            Some(guard.tell(worker, cluster, Some(&endpoint.instance)))
        });
        self.disturb_if(has_moved.flatten());
    }

    /// Gives everything back with what the attempt came to. `load_ns` is what it says of the endpoint's latency.
    pub(crate) fn settle(
        mut self,
        worker: &Worker,
        cluster: &Cluster,
        end: Settlement,
        now_ns: u64,
    ) {
        let permit = self.permit.take();
        self.note_signal(worker, cluster, &end, now_ns);
        let has_moved = self.set.with(self.id, self.position, |endpoint| {
            endpoint
                .load
                .end(end.load_ns.saturating_add(end.penalty_ns()), now_ns);
            let guard = endpoint.guard.as_mut()?;
            let draw = worker.chance.draw();
            guard
                .machine
                .on_result(permit?, end.outcome, end.latency_ns, now_ns, draw);
            let has_moved = guard.tell(worker, cluster, Some(&endpoint.instance));
            if has_moved && guard.machine.state() == State::Closed {
                // What its failures added to its latency says nothing of it now.
                endpoint.load.restart(end.load_ns, now_ns);
            }
            Some(has_moved)
        });
        self.disturb_if(has_moved.flatten());
    }

    fn disturb_if(&self, has_moved: Option<bool>) {
        if has_moved == Some(true) {
            self.set.disturb();
        }
    }
}

/// What an attempt came to, for the endpoint it went to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settlement {
    pub(crate) outcome: Outcome,
    /// What outlier detection makes of it.
    pub(crate) signal: Option<Signal>,
    /// How long the whole attempt took.
    pub(crate) latency_ns: u64,
    /// How long its response headers took.
    pub(crate) load_ns: u64,
    pub(crate) has_failed: bool,
    pub(crate) retry_after_ns: Option<u64>,
}

impl Settlement {
    fn penalty_ns(&self) -> u64 {
        if self.has_failed || self.retry_after_ns.is_some() {
            return penalty_ns(self.retry_after_ns);
        }
        0
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.set.with(self.id, self.position, |endpoint| {
                endpoint.load.cancel();
                if let Some(guard) = &mut endpoint.guard {
                    guard.machine.release(permit);
                }
            });
        }
    }
}
