//! The configuration in force, with the machines that belong to it.
//!
//! A [`Live`] is one configuration; requests hold on to what they began with. The machines below it are shared from one
//! configuration to the next, as long as their block, endpoint or cluster stays, and take new figures in place.

mod by_name;
mod fronts;
mod overlay;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use by_name::ByName;
use policy::Percent;
use policy::budget::Budget;
use policy::bulkhead;
use policy::latency::RecentLatency;
use policy::moment::Moment;
use policy::rate_limit::Limiter;

use crate::config::{self, Block, Config, ServiceName, Standing};
use crate::entrances::Entrances;
use crate::front::Approach;
use crate::gate::Gate;
use crate::report::{Direction, Event};
use crate::rules::Rules;
use crate::stages::admission::Restraint;
use crate::stages::breaker::Guard;
use crate::stages::endpoint::{EndpointSet, Wanted};
use crate::stages::fault::Faults;
use crate::stages::rate_limit::{Limits, Rule};
use crate::stages::retry::share_of;
use crate::stages::shadow::Foretold;
use crate::tally::Tally;
use crate::worker::{Entry, Worker};
pub(crate) use fronts::Fronts;
pub(crate) use overlay::Overlay;

/// Requests that may wait for a connection: whoever waits holds a downstream connection, which is bounded.
const CONNECTION_QUEUE: u32 = 65_536;

/// One configuration in force.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) config: Arc<Config>,
    /// What the workload calls, by the canonical names of hosts.
    pub(crate) hosts: ByName<Box<str>, Rc<Cluster>>,
    /// What the workload calls.
    pub(crate) clusters: ByName<ServiceName, Rc<Cluster>>,
    /// The workload itself, one per inbound listener, in their order.
    pub(crate) inbound: Vec<Rc<Cluster>>,
    /// The application at each of its ports at which somebody was led here.
    pub(crate) applications: BTreeMap<u16, Rc<Cluster>>,
    /// What stands in front of the workload.
    pub(crate) fronts: Fronts,
    /// What would stand there if the policies in shadow acted too.
    pub(crate) shadows: Fronts,
    /// The routes by which requests come to each service that it is of, where something is said of them.
    entrances: HashMap<ServiceName, Rc<Entrances>>,
    /// Services as rules of routes with settings of their own meet them.
    pub(crate) ruled: Vec<Rc<Cluster>>,
    /// The bulkheads that some routes or rules have for themselves, by the service, and how people name them.
    pub(crate) route_bulkheads: Vec<(ServiceName, Arc<str>, Rc<Gate>)>,
    /// Bulkheads that several clusters share.
    shared: HashMap<Arc<str>, Rc<Gate>>,
}

/// A service as one configuration has it, with its machines. Inbound, the application is the only endpoint.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) direction: Direction,
    pub(crate) config: Arc<config::Cluster>,
    pub(crate) timeouts: config::Timeouts,
    pub(crate) tally: Rc<Tally>,
    pub(crate) limits: Limits,
    /// Rehearsals of what its callers would meet; outbound only.
    pub(crate) faults: Faults,
    /// Limits of the connections that are accepted for it; inbound only.
    pub(crate) doors: Limits,
    /// Limits of the bytes in bodies of requests, and of answers.
    pub(crate) uploads: Limits,
    pub(crate) downloads: Limits,
    /// What stands in front of the application; inbound only.
    pub(crate) front: Option<Approach>,
    /// What would stand there if the policies in shadow acted too.
    pub(crate) shadow: Option<Approach>,
    /// The same service if policies in shadow acted too, with machines of its own.
    pub(crate) foreseen: Option<Rc<Cluster>>,
    /// What that told.
    pub(crate) foretold: Rc<Foretold>,
    /// Whether it is such a one.
    pub(crate) is_shadow: bool,
    pub(crate) admission: Rc<RefCell<Restraint>>,
    pub(crate) bulkhead: Option<Rc<Gate>>,
    pub(crate) connections: Option<Rc<Gate>>,
    pub(crate) budget: Option<Rc<RefCell<Budget>>>,
    pub(crate) breaker: Option<Rc<RefCell<Guard>>>,
    /// How long attempts took lately; kept only for retries and hedges.
    pub(crate) recent: Option<Rc<RefCell<RecentLatency>>>,
    pub(crate) ports: Vec<Rc<EndpointSet>>,
    /// The rules by which calls of it go elsewhere.
    pub(crate) rules: Rules,
    /// Whether something is said at the caller of requests that follow one of them, wherever that leads.
    pub(crate) is_scoped: bool,
    /// The routes by which its requests come in, where something is said of them; inbound only.
    pub(crate) entrances: Option<Rc<Entrances>>,
}

impl Live {
    /// `config` in the place of this one.
    pub(crate) fn successor(&self, worker: &Worker, config: Arc<Config>) -> Self {
        let mut next = Self {
            config,
            ..Self::default()
        };
        let config = Arc::clone(&next.config);
        for (name, cluster) in &config.clusters {
            let live = match self.clusters.get(name) {
                Some(live) if Arc::ptr_eq(&live.config, cluster) => Rc::clone(live),
                old => next.build(worker, Direction::Outbound, cluster, old, &self.shared),
            };
            next.keep_shared(&live);
            next.clusters.insert(name.clone(), live);
        }
        next.lay_over(worker, &self.shared);
        for (host, service) in &config.hosts {
            if let Some(cluster) = next.clusters.get(service) {
                next.hosts.insert(host.clone(), Rc::clone(cluster));
            }
        }
        let fronts = |which, old| Fronts::new(each_inbound(&config), which, old, worker.clock);
        next.fronts = fronts(Standing::Acting, &self.fronts);
        next.shadows = fronts(Standing::InShadow, &self.shadows);
        next.entrances = next.entrances(worker, &self.entrances);
        for (place, listener) in worker.inbound.iter().enumerate() {
            let limits = config.inbound.get(&listener.service);
            let old = self.inbound.get(place);
            let service = limits.map_or(&listener.service, |inbound| &inbound.service);
            let cluster = application(worker, &[listener.app], service, limits);
            let live = next.build(worker, Direction::Inbound, &cluster, old, &self.shared);
            next.inbound.push(live);
        }
        for (&port, addresses) in &*worker.applications.borrow() {
            let Some(captured) = config.applications.get(&port) else {
                continue;
            };
            let inbound = &captured.inbound;
            let old = self.applications.get(&port);
            let cluster = application(worker, addresses, &inbound.service, Some(inbound));
            let live = next.build(worker, Direction::Inbound, &cluster, old, &self.shared);
            next.applications.insert(port, live);
        }
        next
    }

    /// The routes by which requests come to each service of ours.
    fn entrances(
        &self,
        worker: &Worker,
        old: &HashMap<ServiceName, Rc<Entrances>>,
    ) -> HashMap<ServiceName, Rc<Entrances>> {
        let build = |inbound: &Arc<config::Inbound>| {
            let old = old.get(&inbound.service);
            let found = Entrances::new(worker, inbound, (&self.fronts, &self.shadows), old)?;
            Some((inbound.service.clone(), found))
        };
        each_inbound(&self.config).filter_map(build).collect()
    }

    /// The service of our own that a connection came in for.
    pub(crate) fn entered(&self, entry: &Entry) -> Option<&Rc<Cluster>> {
        match entry {
            Entry::Inbound { place } => self.inbound.get(*place),
            Entry::Application { address, .. } => self.applications.get(&address.port()),
            Entry::Outbound | Entry::Upstream { .. } => None,
        }
    }

    /// Every cluster of both directions.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Rc<Cluster>> {
        self.clusters.values().chain(self.own())
    }

    /// The workload itself, at each of its ports.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Rc<Cluster>> {
        self.inbound.iter().chain(self.applications.values())
    }

    /// The breakers that whole services or some of their routes have, each once, with a cluster that meets it.
    pub(crate) fn guards(&self) -> Vec<(&Rc<Cluster>, &Rc<RefCell<Guard>>)> {
        let mut found: Vec<(&Rc<Cluster>, &Rc<RefCell<Guard>>)> = Vec::new();
        for cluster in self.clusters.values().chain(&self.ruled) {
            let is_new = |guard: &&Rc<RefCell<Guard>>| {
                found.iter().all(|(_, known)| !Rc::ptr_eq(known, guard))
            };
            if let Some(guard) = cluster.breaker.as_ref().filter(is_new) {
                found.push((cluster, guard));
            }
        }
        found
    }

    /// A service as the route of that name meets it, which has a breaker for itself.
    pub(crate) fn of_route(&self, service: &ServiceName, route: &str) -> Option<&Rc<Cluster>> {
        let has_name = |guard: &Rc<RefCell<Guard>>| guard.borrow().route.as_deref() == Some(route);
        self.ruled.iter().find(|cluster| {
            cluster.config.service == *service && cluster.breaker.as_ref().is_some_and(has_name)
        })
    }

    fn build(
        &self,
        worker: &Worker,
        direction: Direction,
        config: &Arc<config::Cluster>,
        old: Option<&Rc<Cluster>>,
        shared: &HashMap<Arc<str>, Rc<Gate>>,
    ) -> Rc<Cluster> {
        let now_ns = worker.clock.now_ns();
        let at = worker.moment(now_ns);
        let old = old.map(Rc::as_ref);
        let members = self.members(worker, direction, &config.service);
        let timeouts = config.timeouts.as_ref().map(|block| block.params.clone());
        let foretold = old.map(|old| Rc::clone(&old.foretold)).unwrap_or_default();
        let cluster = Cluster {
            direction,
            timeouts: timeouts.unwrap_or_default(),
            tally: worker.tally(direction, &config.service, None),
            limits: Limits::new(&config.limits, members, old.map(|old| &old.limits), at),
            faults: Faults::new(&config.faults, old.map(|old| &old.faults)),
            doors: Limits::of_connections(&config.limits, members, old.map(|old| &old.doors), at),
            uploads: Limits::of_bytes(
                &config.limits,
                |rules| &rules.uploads,
                old.map(|old| &old.uploads),
                at,
            ),
            downloads: Limits::of_bytes(
                &config.limits,
                |rules| &rules.downloads,
                old.map(|old| &old.downloads),
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

    /// What would act if policies in shadow did, and tells so in `foretold`.
    fn foreseen(
        &self,
        worker: &Worker,
        config: &config::Cluster,
        old: Option<&Cluster>,
        foretold: &Rc<Foretold>,
        shared: &HashMap<Arc<str>, Rc<Gate>>,
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
    fn members(&self, worker: &Worker, direction: Direction, service: &ServiceName) -> u32 {
        let known = match direction {
            Direction::Inbound => self.config.members.get(service).copied(),
            Direction::Outbound => worker.live_callers.borrow().get(service).copied(),
        };
        known.unwrap_or(1)
    }

    fn bulkhead(
        &self,
        config: &config::Cluster,
        old: Option<&Cluster>,
        shared: &HashMap<Arc<str>, Rc<Gate>>,
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

    fn keep_shared(&mut self, cluster: &Rc<Cluster>) {
        let name = cluster
            .config
            .bulkhead
            .as_ref()
            .and_then(|block| block.params.shared.clone());
        if let (Some(name), Some(gate)) = (name, &cluster.bulkhead) {
            self.shared.insert(name, Rc::clone(gate));
        }
    }
}

impl Cluster {
    /// Every limit of every kind, with its limiter.
    pub(crate) fn visit_limits(&self, mut each: impl FnMut(&Rule, &mut Limiter)) {
        for limits in [&self.limits, &self.doors, &self.uploads, &self.downloads] {
            limits.visit(&mut each);
        }
    }

    /// How much of the queue is taken that requests pass after their limits; none where there is none.
    pub(crate) fn queue_used(&self) -> Option<Percent> {
        let places = match &self.front {
            Some(approach) => approach
                .front
                .look(|front| (front.depth() + front.held(), front.capacity())),
            None => {
                let gate = self.bulkhead.as_ref()?;
                gate.look(|gate| (gate.waiting(), gate.queue_capacity()))
            }
        };
        Percent::of_part(places.0, places.1)
    }

    /// The endpoints of the port of this number.
    pub(crate) fn port(&self, number: u16) -> Option<&Rc<EndpointSet>> {
        self.ports.iter().find(|set| set.port() == number)
    }

    /// Tells people what happened, unless in shadow.
    pub(crate) fn tell(&self, worker: &Worker, event: impl FnOnce() -> Event) {
        if !self.is_shadow {
            worker.journal.tell(event());
        }
    }

    fn has_shared_bulkhead(&self) -> bool {
        self.config
            .bulkhead
            .as_ref()
            .is_some_and(|block| block.params.shared.is_some())
    }

    /// Takes another share of the retry budget's floor, and of divided limits.
    pub(crate) fn set_live_callers(&self, live_callers: u32, at: Moment) {
        self.limits.divide(live_callers, at);
        if let (Some(params), Some(budget)) = (self.config.budget(), &self.budget) {
            budget
                .borrow_mut()
                .reconfigure(share_of(params, Some(live_callers)));
        }
    }
}

/// What there is of a service that is our own.
fn own<'a, T: Clone + 'a>(direction: Direction, find: impl FnOnce() -> Option<&'a T>) -> Option<T> {
    let is_inbound = direction == Direction::Inbound;
    is_inbound.then(find).flatten().cloned()
}

/// What is enforced for each service of ours.
fn each_inbound(config: &Config) -> impl Iterator<Item = &Arc<config::Inbound>> {
    let captured = config.applications.values();
    let captured = captured.map(|application| &application.inbound);
    config.inbound.values().chain(captured)
}

fn reconfigured(old: Option<&Rc<Gate>>, params: bulkhead::Params) -> Rc<Gate> {
    let Some(gate) = old else {
        return Gate::new(params);
    };
    gate.reconfigure(params);
    Rc::clone(gate)
}

fn admission(config: &config::Cluster, old: Option<&Cluster>) -> Rc<RefCell<Restraint>> {
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

fn budget(
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

fn breaker(config: &config::Cluster, old: Option<&Cluster>) -> Option<Rc<RefCell<Guard>>> {
    let params = &config.service_breaker.as_ref()?.params.params;
    match old.and_then(|old| old.breaker.as_ref()) {
        Some(guard) => {
            guard.borrow_mut().machine.reconfigure(params.clone());
            Some(Rc::clone(guard))
        }
        None => Some(Rc::new(RefCell::new(Guard::new(params)))),
    }
}

fn recent(config: &config::Cluster, old: Option<&Cluster>) -> Option<Rc<RefCell<RecentLatency>>> {
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

/// The workload as a cluster: one port, an endpoint for each address, the limits of its service.
fn application(
    worker: &Worker,
    apps: &[SocketAddr],
    service: &ServiceName,
    inbound: Option<&Arc<config::Inbound>>,
) -> Arc<config::Cluster> {
    let timeouts = config::Timeouts {
        connect: config::APPLICATION_CONNECT,
        ..Default::default()
    };
    let endpoint = |app: &SocketAddr| config::Endpoint {
        instance: Arc::clone(&worker.instance),
        addresses: vec![Some(*app)],
        has_sidecar: false,
        is_near: false,
        weight: 1,
        group: None,
    };
    Arc::new(config::Cluster {
        service: service.clone(),
        ports: vec![config::Port {
            name: "app".into(),
            number: apps.first().map_or(0, SocketAddr::port),
            protocol: config::Protocol::Http,
        }],
        idempotent_methods: Vec::new(),
        timeouts: Some(Block {
            params: timeouts,
            policy: None,
        }),
        retry: None,
        hedge: None,
        service_breaker: None,
        endpoint_breaker: None,
        outliers: None,
        balancing: None,
        admission: None,
        groups: None,
        health_check: None,
        bulkhead: None,
        pool: None,
        fallback: None,
        shadow: None,
        limits: inbound
            .map(|inbound| inbound.limits.clone())
            .unwrap_or_default(),
        faults: Vec::new(),
        routes: Vec::new(),
        endpoints: apps.iter().map(endpoint).collect(),
    })
}
