//! The configuration in force, with the machines that belong to it.
//!
//! A [`Live`] is one configuration; requests hold on to what they began with. The machines below it are shared from one
//! configuration to the next, as long as their block, endpoint or cluster stays, and take new figures in place.

mod application;
mod build;
mod by_name;
mod cluster;
mod fronts;
mod overlay;
mod queues;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use application::application;
use by_name::ByName;
use policy::bulkhead;

use crate::config::{self, Config, ServiceName, Standing};
use crate::entrances::Entrances;
use crate::gate::Gate;
use crate::report::Direction;
use crate::stages::breaker::Guard;
use crate::worker::{Entry, Worker};
pub(crate) use cluster::Cluster;
pub(crate) use fronts::Fronts;
pub(crate) use overlay::Overlay;

/// Bulkheads that several clusters share, by the name that they share.
type Shared = HashMap<Arc<str>, Rc<Gate>>;

/// One configuration in force.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) config: Arc<Config>,
    /// What the workload calls, by the canonical names of hosts.
    pub(crate) hosts: ByName<Box<[u8]>, Rc<Cluster>>,
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
    shared: Shared,
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
        self.let_through_rules(&next);
        for (host, service) in &config.hosts {
            if let Some(cluster) = next.clusters.get(service) {
                next.hosts
                    .insert(host.as_bytes().into(), Rc::clone(cluster));
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

    /// Lets those through who wait at bulkheads of rules, where nothing is said any more of what they call.
    fn let_through_rules(&self, next: &Self) {
        for (service, _, gate) in &self.route_bulkheads {
            let is_it = |other: &Rc<Gate>| Rc::ptr_eq(other, gate);
            let is_kept = |ruled: &Rc<Cluster>| ruled.bulkhead.as_ref().is_some_and(is_it);
            let whole = next.clusters.get(service);
            let has_another = whole.is_some_and(|whole| whole.bulkhead.is_some());
            let is_shared = next.shared.values().any(is_it);
            if !has_another && !is_shared && !next.ruled.iter().any(is_kept) {
                gate.reconfigure(bulkhead::Params::NONE);
            }
        }
    }

    /// Keeps the bulkhead that a cluster has together with others.
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

    /// Every cluster, of the ports of a service of ours the first: they have their limits together.
    pub(crate) fn limited(&self) -> impl Iterator<Item = &Rc<Cluster>> {
        let is_first = move |(place, cluster): &(usize, &Rc<Cluster>)| {
            let mut before = self.own().take(*place);
            before.all(|other| other.config.service != cluster.config.service)
        };
        let own = self.own().enumerate().filter(is_first);
        self.clusters
            .values()
            .chain(own.map(|(_, cluster)| cluster))
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
}

/// What is enforced for each service of ours.
fn each_inbound(config: &Config) -> impl Iterator<Item = &Arc<config::Inbound>> {
    let captured = config.applications.values();
    let captured = captured.map(|application| &application.inbound);
    config.inbound.values().chain(captured)
}
