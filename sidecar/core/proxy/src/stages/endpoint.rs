//! Endpoint: which of a port's endpoints takes an attempt: two drawn at random, the one that costs less, among those
//! that their breakers let be picked.

mod affinity;
mod follow;
mod groups;
mod health;
mod member;
mod outliers;
mod picked;
mod reconfigure;
mod returned;
pub(crate) mod shared_health;

pub(crate) use affinity::Affinity;
pub(crate) use follow::{Followed, Made};
pub(crate) use health::watch;
pub(crate) use member::Endpoint;
pub(crate) use outliers::signal;
pub(crate) use picked::{Picked, Settlement};
pub(crate) use reconfigure::Wanted;
pub(crate) use shared_health::Checks;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use policy::Reason;
use policy::balancer::Balancer;
use policy::breaker::State;
use policy::instance_groups::{Size, Watch};
use policy::outlier::Detector;
use policy::readiness::{Ask, PanicChange, Readiness, Verdict};
use smallvec::SmallVec;

use super::Refusal;
use super::breaker::{self, Guard};
use crate::config;
use crate::live::Cluster;
use crate::name::PolicyRef;
use crate::report::{Event, EventKind};
use crate::worker::Worker;

/// The endpoints of one port of a service, and the verdicts over them.
#[derive(Debug)]
pub(crate) struct EndpointSet {
    port: u16,
    endpoints: RefCell<Vec<Endpoint>>,
    readiness: RefCell<Readiness>,
    detector: RefCell<Option<Detector>>,
    balancer: RefCell<Balancer>,
    /// Notices which instance groups are empty.
    watches: RefCell<Vec<Watch>>,
    /// Whether an endpoint was left out because its address is the sidecar's own.
    has_own: Cell<bool>,
    /// Whether any breaker may not be closed.
    is_disturbed: Cell<bool>,
    issued: Cell<u64>,
}

impl EndpointSet {
    pub(crate) fn new(port: u16) -> Self {
        Self {
            port,
            endpoints: RefCell::default(),
            readiness: RefCell::new(Readiness::new(Default::default())),
            detector: RefCell::default(),
            balancer: RefCell::default(),
            watches: RefCell::default(),
            has_own: Cell::new(false),
            is_disturbed: Cell::new(false),
            issued: Cell::new(0),
        }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Picks an endpoint for an attempt, another than `avoid` while one is ready.
    pub(crate) fn pick(
        self: &Rc<Self>,
        worker: &Worker,
        cluster: &Cluster,
        affinity: &Affinity,
        avoid: Option<u64>,
        now_ns: u64,
    ) -> Result<Picked, Refusal> {
        let mut endpoints = self.endpoints.borrow_mut();
        self.refresh(worker, cluster, &mut endpoints, now_ns);
        let avoid = avoid.and_then(|id| endpoints.iter().position(|endpoint| endpoint.id == id));
        let only = affinity.only.map(|only| {
            let place = endpoints
                .iter()
                .position(|endpoint| endpoint.address == only);
            place.map(|position| position as u32)
        });
        if only == Some(None) {
            return Err(self.refusal(cluster, Reason::UpstreamNoEndpoints));
        }
        let ask = Ask {
            only: only.flatten(),
            avoid: avoid.map(|position| position as u32),
            group: affinity.group,
            key: affinity.key,
            now_ns,
            draw: worker.chance.draw(),
        };
        let balancer = &mut self.balancer.borrow_mut();
        let picked = self.readiness.borrow().pick(&mut endpoints, balancer, &ask);
        self.tell(worker, cluster, &mut endpoints);
        let picked = picked.map_err(|reason| self.refusal(cluster, reason))?;
        Ok(self.hand_out(&mut endpoints, picked, affinity))
    }

    fn hand_out(
        self: &Rc<Self>,
        endpoints: &mut [Endpoint],
        picked: policy::readiness::Picked,
        affinity: &Affinity,
    ) -> Picked {
        let endpoint = &mut endpoints[picked.endpoint as usize];
        endpoint.load.begin();
        Picked {
            set: Rc::clone(self),
            id: endpoint.id,
            group: affinity.group,
            position: picked.endpoint as usize,
            permit: Some(picked.permit),
            is_chosen: affinity.is_chosen(),
            address: endpoint.address,
            has_sidecar: endpoint.has_sidecar,
            pools: Rc::clone(&endpoint.pools),
        }
    }

    /// The refusal of a pick; where only our own addresses are left out, the call would come back to us.
    pub(crate) fn refusal(&self, cluster: &Cluster, reason: Reason) -> Refusal {
        match reason {
            Reason::UpstreamNoEndpoints if self.has_own.get() => Refusal::new(Reason::ProxyLoop),
            Reason::UpstreamNoEndpoints => Refusal::new(reason),
            reason => Refusal::new(reason).by(breaker::policy_of(cluster, true)),
        }
    }

    /// The state of each endpoint's breaker.
    pub(crate) fn breaker_states(&self) -> SmallVec<[State; 8]> {
        let endpoints = self.endpoints.borrow();
        let guards = endpoints
            .iter()
            .filter_map(|endpoint| endpoint.guard.as_ref());
        guards.map(|guard| guard.machine.state()).collect()
    }

    /// How many endpoints there are.
    pub(crate) fn size(&self) -> usize {
        self.endpoints.borrow().len()
    }

    /// Whether an endpoint other than this one may be picked for a request of this group.
    fn has_another(&self, group: Option<usize>, id: u64) -> bool {
        let endpoints = self.endpoints.borrow();
        let position = endpoints.iter().position(|endpoint| endpoint.id == id);
        let readiness = self.readiness.borrow();
        position.map_or(!readiness.ready(group).is_empty(), |at| {
            readiness.has_another(group, at as u32)
        })
    }

    /// Hands every endpoint to `each`, with whether it may be picked.
    pub(crate) fn visit(
        &self,
        worker: &Worker,
        cluster: &Cluster,
        mut each: impl FnMut(&mut Endpoint, bool),
    ) {
        let mut endpoints = self.endpoints.borrow_mut();
        let now_ns = worker.clock.now_ns();
        self.refresh(worker, cluster, &mut endpoints, now_ns);
        let readiness = self.readiness.borrow();
        for (position, endpoint) in (0..).zip(endpoints.iter_mut()) {
            each(endpoint, readiness.verdict(position) != Verdict::Ejected);
        }
    }

    /// Acts on the breaker of one instance, and tells what that moved.
    pub(crate) fn act_on_breaker<T>(
        &self,
        worker: &Worker,
        cluster: &Cluster,
        instance: &str,
        act: impl FnOnce(&mut Guard) -> T,
    ) -> Option<T> {
        let mut endpoints = self.endpoints.borrow_mut();
        let endpoint = endpoints
            .iter_mut()
            .find(|endpoint| &*endpoint.instance == instance)?;
        let guard = endpoint.guard.as_mut()?;
        let result = act(guard);
        guard.tell(worker, cluster, Some(&endpoint.instance));
        self.disturb();
        Some(result)
    }

    /// How many endpoints a request may be given to.
    pub(crate) fn ready_for(&self, affinity: &Affinity) -> usize {
        self.readiness.borrow().ready(affinity.group).len()
    }

    /// How large each instance group is, in their order.
    pub(crate) fn group_sizes(&self) -> Vec<Size> {
        self.readiness.borrow().sizes().to_vec()
    }

    /// Ends what is over by now, sweeps for outliers when that is due, makes the verdicts anew where anything moved, and
    /// tells of it.
    fn refresh(&self, worker: &Worker, cluster: &Cluster, endpoints: &mut [Endpoint], now_ns: u64) {
        self.check_breakers(worker, cluster, endpoints, now_ns);
        self.sweep(endpoints, now_ns);
        let mut readiness = self.readiness.borrow_mut();
        if readiness.is_current(endpoints.len(), now_ns) {
            return;
        }
        if let Some(change) = readiness.refresh(endpoints, now_ns) {
            cluster.tell(worker, || panic_event(worker, cluster, change, now_ns));
        }
        outliers::tell(worker, cluster, &readiness, endpoints, now_ns);
        let watches = &mut self.watches.borrow_mut();
        groups::tell(worker, cluster, watches, readiness.sizes(), now_ns);
    }

    /// Ends what is over by now at breakers although nobody calls.
    fn check_breakers(
        &self,
        worker: &Worker,
        cluster: &Cluster,
        endpoints: &mut [Endpoint],
        now_ns: u64,
    ) {
        if !self.is_disturbed.get() {
            return;
        }
        for endpoint in endpoints.iter_mut() {
            if let Some(guard) = &mut endpoint.guard {
                guard.machine.check(now_ns, worker.chance.draw());
            }
        }
        self.tell(worker, cluster, endpoints);
    }

    /// A breaker moved: verdicts are made anew, and calls may move others.
    fn disturb(&self) {
        self.is_disturbed.set(true);
        self.readiness.borrow_mut().invalidate();
    }

    /// Tells what moved. While every breaker is closed, it moves none.
    fn tell(&self, worker: &Worker, cluster: &Cluster, endpoints: &mut [Endpoint]) {
        if !self.is_disturbed.get() {
            return;
        }
        let mut is_disturbed = false;
        for endpoint in endpoints {
            let Some(guard) = &mut endpoint.guard else {
                continue;
            };
            if guard.tell(worker, cluster, Some(&endpoint.instance)) {
                self.readiness.borrow_mut().invalidate();
            }
            is_disturbed |= guard.machine.state() != State::Closed;
        }
        self.is_disturbed.set(is_disturbed);
    }

    fn with<T>(&self, id: u64, hint: usize, act: impl FnOnce(&mut Endpoint) -> T) -> Option<T> {
        let mut endpoints = self.endpoints.borrow_mut();
        let is_there = endpoints
            .get(hint)
            .is_some_and(|endpoint| endpoint.id == id);
        let position = match is_there {
            true => hint,
            false => endpoints.iter().position(|endpoint| endpoint.id == id)?,
        };
        Some(act(&mut endpoints[position]))
    }
}

/// The policy behind the choice of an endpoint.
pub(crate) fn policy_of(config: &config::Cluster) -> Option<Arc<PolicyRef>> {
    let balancing = config.balancing.as_ref().map(|block| &block.policy);
    let outliers = config.outliers.as_ref().map(|block| &block.policy);
    let breaker = config.endpoint_breaker.as_ref().map(|block| &block.policy);
    balancing.or(outliers).or(breaker)?.clone()
}

fn panic_event(worker: &Worker, cluster: &Cluster, change: PanicChange, now_ns: u64) -> Event {
    Event {
        at: worker.clock.wall(now_ns),
        service: cluster.config.service.clone(),
        endpoint: None,
        kind: EventKind::Panic {
            began: change == PanicChange::Began,
        },
    }
}

#[cfg(test)]
mod tests;
