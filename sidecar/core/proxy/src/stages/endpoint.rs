//! Endpoint: which of a port's endpoints takes an attempt: two drawn at random, the one that costs less, among those
//! that their breakers let be picked.

mod affinity;
mod follow;
mod groups;
mod health;
mod outliers;
pub(crate) mod shared_health;

pub(crate) use affinity::Affinity;
pub(crate) use follow::{Followed, Made};
pub(crate) use health::watch;
pub(crate) use outliers::signal;
pub(crate) use shared_health::Checks;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use policy::balancer::{Algorithm, Balancer, Load, SlowStart, penalty_ns};
use policy::breaker::{Breaker, Permit, State};
use policy::health_check::Verdict as Health;
use policy::instance_groups::{Overflow, Size, Watch};
use policy::outlier::{self, Cause, Detector, Recorded, Signal};
use policy::readiness::{Ask, Layout, Member, PanicChange, Readiness, Verdict};
use policy::{Outcome, Percent, Reason};
use smallvec::SmallVec;

use super::Refusal;
use super::breaker::{self, Guard};
use crate::chance::Chance;
use crate::clock::nanoseconds;
use crate::config;
use crate::live::Cluster;
use crate::name::PolicyRef;
use crate::report::{Event, EventKind};
use crate::upstream::Pools;
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

/// One address and port.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Names it for as long as it stays in the set.
    id: u64,
    pub(crate) instance: Arc<str>,
    pub(crate) address: SocketAddr,
    pub(crate) has_sidecar: bool,
    is_near: bool,
    /// Its share of the calls, in the smallest numbers that say the same.
    pub(crate) weight: u32,
    group: Option<usize>,
    pub(crate) load: Load,
    /// When it joined others that were called already.
    joined_ns: Option<u64>,
    slow_start: Option<SlowStart>,
    pub(crate) guard: Option<Guard>,
    pub(crate) record: outlier::Record,
    /// What its probes say, where it is probed.
    pub(crate) probed: Option<health::Probed>,
    /// Why people were told that it is set aside as an outlier; `None` once they know that it is not.
    outlier: Option<Cause>,
    pub(crate) pools: Rc<Pools>,
}

/// An endpoint that goes closes its connections; those in use are not kept afterwards.
impl Drop for Endpoint {
    fn drop(&mut self) {
        self.pools.close();
    }
}

impl Member for Endpoint {
    fn breaker(&self) -> Option<&Breaker> {
        self.guard.as_ref().map(|guard| &guard.machine)
    }

    fn breaker_mut(&mut self) -> Option<&mut Breaker> {
        self.guard.as_mut().map(|guard| &mut guard.machine)
    }

    fn load(&self) -> &Load {
        &self.load
    }

    fn outlier(&self) -> Option<&outlier::Record> {
        Some(&self.record)
    }

    fn share(&self, now_ns: u64) -> Percent {
        let share = self.record.share(now_ns);
        self.slow_start
            .map_or(share, |start| start.share(now_ns).min(share))
    }

    fn weight(&self) -> u32 {
        self.weight
    }

    fn is_unhealthy(&self) -> bool {
        self.probed
            .as_ref()
            .is_some_and(|probed| probed.verdict() == Health::Unhealthy)
    }

    fn is_near(&self) -> bool {
        self.is_near
    }

    fn group(&self) -> Option<usize> {
        self.group
    }
}

impl Recorded for Endpoint {
    fn record(&self) -> &outlier::Record {
        &self.record
    }

    fn record_mut(&mut self) -> &mut outlier::Record {
        &mut self.record
    }
}

/// What an endpoint is made from.
pub(crate) struct Wanted<'a> {
    pub(crate) endpoint: &'a config::Endpoint,
    pub(crate) address: SocketAddr,
}

/// An endpoint picked for one attempt; dropping it gives what was taken back, uncounted.
#[derive(Debug)]
pub(crate) struct Picked {
    set: Rc<EndpointSet>,
    pub(crate) id: u64,
    group: Option<usize>,
    position: usize,
    permit: Option<Permit>,
    pub(crate) address: SocketAddr,
    pub(crate) has_sidecar: bool,
    pub(crate) pools: Rc<Pools>,
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

    /// Takes new endpoints and figures in: who stays at its address keeps its state.
    pub(crate) fn reconfigure(
        &self,
        wanted: &[Wanted<'_>],
        has_own: bool,
        config: &config::Cluster,
        (now_ns, chance): (u64, &Chance),
    ) {
        let breaker = config
            .endpoint_breaker
            .as_ref()
            .map(|block| &block.params.params);
        let mut endpoints = self.endpoints.borrow_mut();
        let mut old: Vec<Endpoint> = std::mem::take(&mut *endpoints);
        let joined_ns = (!old.is_empty()).then_some(now_ns);
        let weights = wanted.iter().map(|want| want.endpoint.weight);
        let unit = weights.reduce(divisor).unwrap_or(1).max(1);
        for want in wanted {
            let is_it = |old: &Endpoint| {
                old.instance == want.endpoint.instance && old.address == want.address
            };
            let mut endpoint = match old.iter().position(is_it) {
                Some(place) => old.swap_remove(place),
                None => self.issue(want, joined_ns, now_ns),
            };
            endpoint.has_sidecar = want.endpoint.has_sidecar;
            endpoint.is_near = want.endpoint.is_near;
            endpoint.weight = want.endpoint.weight / unit;
            endpoint.group = want.endpoint.group;
            endpoint.slow_start = slow_start(&endpoint, config);
            endpoint.reconfigure_probes(config, now_ns, chance);
            reconfigure_guard(&mut endpoint.guard, breaker);
            endpoints.push(endpoint);
        }
        self.has_own.set(has_own);
        self.reconfigure_balancer(&endpoints, config);
        self.reconfigure_outliers(&mut endpoints, config, now_ns);
    }

    /// Makes the table of a hashed algorithm anew where names or weights changed.
    fn reconfigure_balancer(&self, endpoints: &[Endpoint], config: &config::Cluster) {
        let block = config.balancing.as_ref();
        let algorithm = block.map_or(Algorithm::default(), |block| block.params.algorithm);
        let named = endpoints
            .iter()
            .map(|endpoint| (&*endpoint.instance, endpoint.weight));
        let mut balancer = self.balancer.borrow_mut();
        if !balancer.is_over(algorithm, named.clone()) {
            *balancer = Balancer::new(algorithm, named);
        }
    }

    fn issue(&self, want: &Wanted<'_>, joined_ns: Option<u64>, now_ns: u64) -> Endpoint {
        self.issued.set(self.issued.get() + 1);
        Endpoint {
            id: self.issued.get(),
            instance: Arc::clone(&want.endpoint.instance),
            address: want.address,
            has_sidecar: want.endpoint.has_sidecar,
            is_near: want.endpoint.is_near,
            weight: want.endpoint.weight,
            group: want.endpoint.group,
            joined_ns,
            slow_start: None,
            load: Load::new(now_ns),
            guard: None,
            record: outlier::Record::default(),
            probed: None,
            outlier: None,
            pools: Rc::default(),
        }
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
        self.refresh(worker, cluster, &mut endpoints, worker.clock.now_ns());
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

    /// Sweeps for outliers when that is due, makes the verdicts anew where anything moved, and tells of it.
    fn refresh(&self, worker: &Worker, cluster: &Cluster, endpoints: &mut [Endpoint], now_ns: u64) {
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

    /// A breaker moved: verdicts are made anew, and calls may move others.
    fn disturb(&self) {
        self.is_disturbed.set(true);
        self.readiness.borrow_mut().invalidate();
    }

    /// Tells what a pick moved. While every breaker is closed, it moves none.
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

/// The greatest common divisor.
const fn divisor(one: u32, other: u32) -> u32 {
    let (mut one, mut other) = (one, other);
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// The warming up of an endpoint that joined others.
fn slow_start(endpoint: &Endpoint, config: &config::Cluster) -> Option<SlowStart> {
    let time = config.balancing.as_ref()?.params.slow_start;
    Some(SlowStart {
        since_ns: endpoint.joined_ns?,
        for_ns: nanoseconds(time),
    })
}

/// The policy behind the choice of an endpoint.
pub(crate) fn policy_of(config: &config::Cluster) -> Option<Arc<PolicyRef>> {
    let balancing = config.balancing.as_ref().map(|block| &block.policy);
    let outliers = config.outliers.as_ref().map(|block| &block.policy);
    let breaker = config.endpoint_breaker.as_ref().map(|block| &block.policy);
    balancing.or(outliers).or(breaker)?.clone()
}

fn layout(config: &config::Cluster) -> Layout {
    let block = config.balancing.as_ref();
    let groups = config.groups.as_ref().map(|block| &block.params);
    Layout {
        prefers_near: block.is_some_and(|block| block.params.prefers_near),
        groups: groups.map_or(0, |groups| groups.groups.len()),
        overflow: groups.map_or(Overflow::Never, |groups| groups.overflow),
    }
}

fn reconfigure_guard(guard: &mut Option<Guard>, params: Option<&policy::breaker::Params>) {
    match (guard.as_mut(), params) {
        (Some(guard), Some(params)) => guard.machine.reconfigure(params.clone()),
        (None, Some(params)) => *guard = Some(Guard::new(params)),
        (_, None) => *guard = None,
    }
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

impl Picked {
    /// Whether an endpoint other than this one may be picked.
    pub(crate) fn has_another(&self) -> bool {
        self.set.has_another(self.group, self.id)
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
            Some(guard.tell(worker, cluster, Some(&endpoint.instance)))
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

#[cfg(test)]
mod tests;
