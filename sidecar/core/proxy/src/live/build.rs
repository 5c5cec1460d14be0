//! Clusters built: each machine goes on from the one before it, where there was one, under new figures.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use policy::budget::Budget;
use policy::bulkhead;
use policy::latency::RecentLatency;

use super::{Cluster, Live, Shared};
use crate::config::{self, ServiceName};
use crate::gate::Gate;
use crate::report::Direction;
use crate::rules::Rules;
use crate::stages::admission::Restraint;
use crate::stages::breaker::Guard;
use crate::stages::endpoint::{EndpointSet, Wanted};
use crate::stages::fault::Faults;
use crate::stages::rate_limit::Limits;
use crate::stages::retry::share_of;
use crate::stages::shadow::Foretold;
use crate::worker::Worker;

/// Requests that may wait for a connection: whoever waits holds a downstream connection, which is bounded.
const CONNECTION_QUEUE: u32 = 65_536;

impl Live {
    /// `config` with machines: those of `old` as far as they go on, and those that are shared.
    pub(super) fn build(
        &self,
        worker: &Worker,
        direction: Direction,
        config: &Arc<config::Cluster>,
        old: Option<&Rc<Cluster>>,
        shared: &Shared,
    ) -> Rc<Cluster> {
        let now_ns = worker.clock.now_ns();
        let at = worker.moment(now_ns);
        let old = old.map(Rc::as_ref);
        let limited = self.sibling(direction, &config.service).or(old);
        let members = self.members(worker, direction, &config.service);
        let timeouts = config.timeouts.as_ref().map(|block| block.params.clone());
        let foretold = old.map(|old| Rc::clone(&old.foretold)).unwrap_or_default();
        if let Some(old) = old {
            let_through(config, old);
        }
        let cluster = Cluster {
            direction,
            timeouts: timeouts.unwrap_or_default(),
            tally: worker.accounts.of(direction, &config.service, None),
            limits: Limits::new(&config.limits, members, limited.map(|old| &old.limits), at),
            faults: Faults::new(&config.faults, old.map(|old| &old.faults)),
            doors: Limits::of_connections(
                &config.limits,
                members,
                limited.map(|old| &old.doors),
                at,
            ),
            uploads: Limits::of_bytes(
                &config.limits,
                |rules| &rules.uploads,
                limited.map(|old| &old.uploads),
                at,
            ),
            downloads: Limits::of_bytes(
                &config.limits,
                |rules| &rules.downloads,
                limited.map(|old| &old.downloads),
                at,
            ),
            front: own(direction, || self.fronts.at(&config.service)),
            shadow: own(direction, || self.shadows.at(&config.service)),
            entrances: own(direction, || self.entrances.get(&config.service)),
            foreseen: self.foreseen(worker, config, old, &foretold, shared),
            foretold,
            is_shadow: false,
            admission: admission(config, old),
            bulkhead: self.bulkhead(config, old, shared),
            connections: connections(config, old),
            budget: budget(worker, config, old),
            breaker: breaker(config, old),
            recent: recent(config, old),
            ports: ports(worker, config, old, now_ns),
            rules: Rules::new(
                &config.routes,
                config.ports.iter().map(|port| port.number),
                old.map(|old| &old.rules),
            ),
            is_scoped: config.is_scoped(),
            config: Arc::clone(config),
        };
        cluster.lend_verdicts();
        Rc::new(cluster)
    }

    /// The same service of ours at a port that is built already: what it limits, it limits for all its ports together.
    fn sibling(&self, direction: Direction, service: &ServiceName) -> Option<&Cluster> {
        let is_inbound = direction == Direction::Inbound;
        let mut own = self.own().map(Rc::as_ref).filter(|_| is_inbound);
        own.find(|cluster| cluster.config.service == *service)
    }

    /// What would act if policies in shadow did, and tells so in `foretold`.
    pub(super) fn foreseen(
        &self,
        worker: &Worker,
        config: &config::Cluster,
        old: Option<&Cluster>,
        foretold: &Rc<Foretold>,
        shared: &Shared,
    ) -> Option<Rc<Cluster>> {
        let shadow = config.shadow.as_ref()?;
        let old = old.and_then(|old| old.foreseen.as_ref());
        let mut built = self.build(worker, Direction::Outbound, shadow, old, shared);
        if let Some(cluster) = Rc::get_mut(&mut built) {
            cluster.is_shadow = true;
            cluster.foretold = Rc::clone(foretold);
        }
        Some(built)
    }

    /// How many share the divided limits of a service: its members, or where callers enforce them, its callers.
    pub(super) fn members(
        &self,
        worker: &Worker,
        direction: Direction,
        service: &ServiceName,
    ) -> u32 {
        let known = match direction {
            Direction::Inbound => self.config.members.get(service).copied(),
            Direction::Outbound => worker.live_callers.borrow().get(service).copied(),
        };
        known.unwrap_or(1)
    }

    pub(super) fn bulkhead(
        &self,
        config: &config::Cluster,
        old: Option<&Cluster>,
        shared: &Shared,
    ) -> Option<Rc<Gate>> {
        let block = &config.bulkhead.as_ref()?.params;
        let old = match &block.shared {
            Some(name) => self.shared.get(name).or_else(|| shared.get(name)),
            None => old
                .filter(|old| !old.has_shared_bulkhead())
                .and_then(|old| old.bulkhead.as_ref()),
        };
        Some(reconfigured(old, block.params))
    }
}

/// What there is of a service that is our own.
fn own<'a, T: Clone + 'a>(direction: Direction, find: impl FnOnce() -> Option<&'a T>) -> Option<T> {
    let is_inbound = direction == Direction::Inbound;
    is_inbound.then(find).flatten().cloned()
}

/// Lets those through who wait where nothing is said any more.
fn let_through(config: &config::Cluster, old: &Cluster) {
    let is_own = !old.has_shared_bulkhead();
    let bulkhead = old.bulkhead.as_ref();
    let bulkhead = bulkhead.filter(|_| is_own && config.bulkhead.is_none());
    let connections = old.connections.as_ref();
    let connections = connections.filter(|_| config.pool.is_none());
    for gate in bulkhead.into_iter().chain(connections) {
        gate.reconfigure(bulkhead::Params::NONE);
    }
}

fn reconfigured(old: Option<&Rc<Gate>>, params: bulkhead::Params) -> Rc<Gate> {
    let Some(gate) = old else {
        return Gate::new(params);
    };
    gate.reconfigure(params);
    Rc::clone(gate)
}

pub(super) fn admission(config: &config::Cluster, old: Option<&Cluster>) -> Rc<RefCell<Restraint>> {
    let restraint = old.map(|old| Rc::clone(&old.admission)).unwrap_or_default();
    let params = config.admission.as_ref().map(|block| block.params);
    restraint.borrow_mut().reconfigure(params);
    restraint
}

fn connections(config: &config::Cluster, old: Option<&Cluster>) -> Option<Rc<Gate>> {
    let pool = &config.pool.as_ref()?.params;
    let params = bulkhead::Params {
        max_concurrent: pool.max_connections,
        max_queue: Some(CONNECTION_QUEUE),
        queue_timeout_ns: None,
        lanes: bulkhead::NO_LANES,
    };
    Some(reconfigured(
        old.and_then(|old| old.connections.as_ref()),
        params,
    ))
}

pub(super) fn budget(
    worker: &Worker,
    config: &config::Cluster,
    old: Option<&Cluster>,
) -> Option<Rc<RefCell<Budget>>> {
    let params = config.budget()?;
    let live_callers = worker.live_callers.borrow().get(&config.service).copied();
    let params = share_of(params, live_callers);
    match old.and_then(|old| old.budget.as_ref()) {
        Some(budget) => {
            budget.borrow_mut().reconfigure(params);
            Some(Rc::clone(budget))
        }
        None => Some(Rc::new(RefCell::new(Budget::new(params)))),
    }
}

pub(super) fn breaker(
    config: &config::Cluster,
    old: Option<&Cluster>,
) -> Option<Rc<RefCell<Guard>>> {
    let params = &config.service_breaker.as_ref()?.params.params;
    match old.and_then(|old| old.breaker.as_ref()) {
        Some(guard) => {
            guard.borrow_mut().machine.reconfigure(params.clone());
            Some(Rc::clone(guard))
        }
        None => Some(Rc::new(RefCell::new(Guard::new(params)))),
    }
}

pub(super) fn recent(
    config: &config::Cluster,
    old: Option<&Cluster>,
) -> Option<Rc<RefCell<RecentLatency>>> {
    config.budget()?;
    let old = old.and_then(|old| old.recent.clone());
    Some(old.unwrap_or_default())
}

fn ports(
    worker: &Worker,
    config: &config::Cluster,
    old: Option<&Cluster>,
    now_ns: u64,
) -> Vec<Rc<EndpointSet>> {
    let build = |(place, port): (usize, &config::Port)| {
        let old = old.and_then(|old| old.ports.iter().find(|set| set.port() == port.number));
        let set = old
            .cloned()
            .unwrap_or_else(|| Rc::new(EndpointSet::new(port.number)));
        let (wanted, has_own) = wanted(worker, config, place);
        set.reconfigure(&wanted, has_own, config, (now_ns, &worker.chance));
        set
    };
    config.ports.iter().enumerate().map(build).collect()
}

/// The endpoints of the port at `place`, without the sidecar's own addresses; whether any was left out for that.
fn wanted<'a>(
    worker: &Worker,
    config: &'a config::Cluster,
    place: usize,
) -> (Vec<Wanted<'a>>, bool) {
    let mut has_own = false;
    let mut wanted = Vec::with_capacity(config.endpoints.len());
    for endpoint in &config.endpoints {
        let Some(address) = endpoint.addresses.get(place).copied().flatten() else {
            continue;
        };
        // Another sidecar of a service that we belong to may be ourselves; what lies outside the mesh never is.
        if worker.is_own(address) || (!endpoint.has_sidecar && worker.leads_here(address)) {
            has_own = true;
            continue;
        }
        wanted.push(Wanted { endpoint, address });
    }
    (wanted, has_own)
}
