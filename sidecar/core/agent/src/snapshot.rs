//! What the sidecar applies: resources with what they say, and the configuration that they make. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use proxy::config::{
    Application, Cluster, Config, Endpoint, Inbound, Meaning, Protocol, ServiceName,
};

use crate::decode::{Address, Decoded, Member, decode, endpoints_of};
use crate::identity::{Identity, WorkloadPort};
use crate::names::Names;
use crate::resource::{Id, Kind, Rejection, Resource};

/// All resources that are applied.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    held: BTreeMap<Id, Held>,
    /// Own services for which there is nothing to enforce.
    unruled: BTreeMap<ServiceName, Arc<Inbound>>,
    built: HashMap<ServiceName, Built>,
}

#[derive(Debug)]
struct Held {
    resource: Arc<Resource>,
    decoded: Decoded,
}

/// A cluster, kept while the values it was built from are the same ones.
#[derive(Debug)]
struct Built {
    outbound: Arc<Cluster>,
    endpoints: Arc<[Address]>,
    cluster: Arc<Cluster>,
}

impl Snapshot {
    /// Takes `resource` in place of its older version. False when it is held already.
    pub(crate) fn put(
        &mut self,
        resource: Arc<Resource>,
        identity: &Identity,
    ) -> Result<bool, Rejection> {
        if self
            .held
            .get(&resource.id)
            .is_some_and(|held| held.resource.version == resource.version)
        {
            return Ok(false);
        }
        let decoded = decode(&resource, identity)?;
        if let Decoded::Inbound(inbound) = &decoded {
            self.unruled.remove(&inbound.service);
        }
        self.held
            .insert(resource.id.clone(), Held { resource, decoded });
        Ok(true)
    }

    /// Whether `id` is held.
    pub(crate) fn has(&self, id: &Id) -> bool {
        self.held.contains_key(id)
    }

    /// Gives up `id`; returns it when it was held.
    pub(crate) fn remove(&mut self, id: &Id) -> Option<Arc<Resource>> {
        self.held.remove(id).map(|held| held.resource)
    }

    /// What the workload of resource `id` stands behind.
    pub(crate) fn stood_behind(&self, id: &Id) -> Option<&Arc<[Member]>> {
        match &self.held.get(id)?.decoded {
            Decoded::Workload(members) => Some(members),
            _ => None,
        }
    }

    /// Reads anew what says different things to different callers, for a sidecar that is another one now or elsewhere.
    pub(crate) fn decode_anew(&mut self, identity: &Identity) {
        for held in self.held.values_mut() {
            if matches!(held.resource.id.kind, Kind::Outbound | Kind::Endpoints)
                && let Ok(decoded) = decode(&held.resource, identity)
            {
                held.decoded = decoded;
            }
        }
    }

    /// There is nothing to enforce for `service`, one of our own. False when that is known already.
    pub(crate) fn set_unruled(&mut self, service: ServiceName) -> bool {
        let nothing = Arc::new(unruled(service.clone()));
        self.unruled.insert(service, nothing).is_none()
    }

    /// Everything held, sorted by id.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.held.values().map(|held| &held.resource)
    }

    /// The service behind `host`.
    pub(crate) fn service_of(&self, host: &Id) -> Option<&ServiceName> {
        match &self.held.get(host)?.decoded {
            Decoded::Host(service) => Some(service),
            Decoded::Address(meaning) => Some(&meaning.service),
            _ => None,
        }
    }

    /// Hosts that lead to `service`, sorted.
    pub(crate) fn hosts_of<'a>(&'a self, service: &'a ServiceName) -> impl Iterator<Item = &'a Id> {
        let leads = move |held: &Held| match &held.decoded {
            Decoded::Host(found) => found == service,
            Decoded::Address(found) => found.service == *service,
            _ => false,
        };
        self.held
            .iter()
            .filter(move |(_, held)| leads(held))
            .map(|(id, _)| id)
    }

    /// Whether all that calls to `service` need is held.
    pub(crate) fn knows(&self, service: &ServiceName) -> bool {
        let has = |kind| self.held.contains_key(&Id::new(kind, service.as_str()));
        has(Kind::Outbound) && has(Kind::Endpoints)
    }

    /// Whether calls to `service` can be served: it is known, and where it is.
    pub(crate) fn serves(&self, service: &ServiceName, names: &Names) -> bool {
        let endpoints = self.endpoints(service);
        self.knows(service) && endpoints.is_some_and(|endpoints| !awaits(endpoints, names))
    }

    /// Services with the host names that lead to their endpoints, sorted.
    pub(crate) fn named(&self) -> BTreeSet<(ServiceName, Arc<str>)> {
        let services = self.held.iter().filter_map(|(id, held)| {
            let Decoded::Endpoints(endpoints) = &held.decoded else {
                return None;
            };
            Some((ServiceName::parse(&id.name)?, endpoints))
        });
        services
            .flat_map(|(service, endpoints)| {
                let hosts = endpoints.iter().filter_map(Address::host).cloned();
                hosts.map(move |host| (service.clone(), host))
            })
            .collect()
    }

    /// Services that host names lead to, as the mesh knows them, sorted.
    pub(crate) fn named_services(&self) -> &[ServiceName] {
        let mesh = self.held.get(&Id::new(Kind::Mesh, "default"));
        match mesh.map(|held| &held.decoded) {
            Some(Decoded::Mesh(settings)) => &settings.named_services,
            _ => &[],
        }
    }

    /// The host names of a service's endpoints.
    pub(crate) fn host_names(&self, service: &ServiceName) -> impl Iterator<Item = &str> {
        let endpoints = self.endpoints(service).into_iter();
        endpoints.flat_map(|all| all.iter().filter_map(|one| Some(one.host()?.as_ref())))
    }

    /// What the addresses mean that host names led to, where our workload may call them. The first of several services
    /// has an address that they share, and the first of a service's ports.
    fn add_named_addresses(&self, addresses: &mut HashMap<SocketAddr, Meaning>) {
        let built = |service| self.built.get(service).map(|built| &built.cluster);
        for cluster in self.named_services().iter().filter_map(built) {
            for (place, port) in cluster.ports.iter().enumerate() {
                let found = |endpoint: &Endpoint| endpoint.addresses.get(place).copied().flatten();
                for address in cluster.endpoints.iter().filter_map(found) {
                    addresses.entry(address).or_insert_with(|| Meaning {
                        service: cluster.service.clone(),
                        port: port.number,
                        is_endpoint: true,
                    });
                }
            }
        }
    }

    /// The endpoints of our own services whose limits are divided among their members.
    pub(crate) fn divided(&self) -> BTreeSet<Id> {
        let is_divided = |held: &&Held| match &held.decoded {
            Decoded::Inbound(inbound) => inbound.is_divided(),
            _ => false,
        };
        let names = self.held.values().filter(is_divided);
        names
            .map(|held| Id::new(Kind::Endpoints, held.resource.id.name.clone()))
            .collect()
    }

    fn members(&self, identity: &Identity) -> HashMap<ServiceName, u32> {
        let count = |service: &ServiceName| {
            let endpoints = self.endpoints(service)?.iter();
            let members = endpoints.filter(|endpoint| endpoint.has_sidecar()).count();
            Some((service.clone(), u32::try_from(members).ok()?))
        };
        identity.services().iter().filter_map(count).collect()
    }

    /// What a worker enforces by it; clusters that did not change are the same values as in the last one.
    pub(crate) fn config(&mut self, identity: &Identity, names: &Names) -> Config {
        self.build_clusters(names);
        let mut config = Config {
            inbound: self.inbound(identity),
            applications: self.applications(identity),
            members: self.members(identity),
            peer: identity
                .workload()
                .and(identity.services().first())
                .cloned(),
            ..Config::default()
        };
        config.clusters = self
            .built
            .iter()
            .map(|(name, built)| (name.clone(), built.cluster.clone()))
            .collect();
        for (id, held) in &self.held {
            match &held.decoded {
                Decoded::Mesh(settings) => {
                    config.access_log = settings.access_log;
                    config.tracing = settings.tracing;
                    config.unknown_destinations = settings.unknown_destinations;
                }
                Decoded::Address(meaning) if config.clusters.contains_key(&meaning.service) => {
                    if let Ok(address) = id.name.parse() {
                        config.addresses.insert(address, meaning.clone());
                    }
                }
                Decoded::Host(service) if config.clusters.contains_key(service) => {
                    config
                        .hosts
                        .insert(id.name.as_str().into(), service.clone());
                }
                _ => {}
            }
        }
        if identity.is_captured() {
            self.add_named_addresses(&mut config.addresses);
        }
        config
    }

    fn build_clusters(&mut self, names: &Names) {
        let mut previous = std::mem::take(&mut self.built);
        for held in self.held.values() {
            let Decoded::Outbound(outbound) = &held.decoded else {
                continue;
            };
            let Some(mut endpoints) = self.endpoints(&outbound.service).cloned() else {
                continue;
            };
            let old = previous.remove(&outbound.service);
            if awaits(&endpoints, names) {
                let Some(old) = &old else {
                    continue; // whoever calls it asks for it, and waits
                };
                endpoints = old.endpoints.clone(); // they serve until it is known where the new ones are
            }
            let same = old.filter(|built| built.is_of(outbound, &endpoints, names));
            let built = same.unwrap_or_else(|| Built::new(outbound, &endpoints, names));
            self.built.insert(outbound.service.clone(), built);
        }
    }

    fn endpoints(&self, service: &ServiceName) -> Option<&Arc<[Address]>> {
        match &self
            .held
            .get(&Id::new(Kind::Endpoints, service.as_str()))?
            .decoded
        {
            Decoded::Endpoints(endpoints) => Some(endpoints),
            _ => None,
        }
    }

    fn inbound(&self, identity: &Identity) -> HashMap<ServiceName, Arc<Inbound>> {
        if let Some(workload) = identity.workload() {
            let members = self
                .stood_behind(&workload.id())
                .map_or(&[][..], |found| found);
            let behind =
                |port: &WorkloadPort| Some((port.name.clone(), self.at(&port.numbers, members)?));
            return workload.ports.iter().filter_map(behind).collect();
        }
        identity
            .services()
            .iter()
            .filter_map(|service| Some((service.clone(), self.inbound_of(service)?)))
            .collect()
    }

    /// What is enforced at each port of the application to which connections are led here on their way.
    fn applications(&self, identity: &Identity) -> HashMap<u16, Application> {
        let Some(ports) = identity.captured_ports() else {
            return HashMap::new();
        };
        if let Some(workload) = identity.workload() {
            let members = self
                .stood_behind(&workload.id())
                .map_or(&[][..], |found| found);
            let behind = |member: &Member| {
                let application = Application {
                    protocol: member.protocol,
                    inbound: self.at(&[member.port], members)?,
                };
                Some((member.port, application))
            };
            return members.iter().filter_map(behind).collect();
        }
        ports
            .iter()
            .filter_map(|(port, service)| {
                let application = Application {
                    protocol: Protocol::Any,
                    inbound: self.inbound_of(service)?,
                };
                Some((*port, application))
            })
            .collect()
    }

    fn inbound_of(&self, service: &ServiceName) -> Option<Arc<Inbound>> {
        let held = self.held.get(&Id::new(Kind::Inbound, service.as_str()));
        match held.map(|held| &held.decoded) {
            Some(Decoded::Inbound(inbound)) => Some(inbound.clone()),
            _ => self.unruled.get(service).cloned(),
        }
    }

    /// What is enforced at a port of the workload, for every service that it stands behind there, under the name of the
    /// first: whoever calls does not choose among them by a name.
    fn at(&self, numbers: &[u16], members: &[Member]) -> Option<Arc<Inbound>> {
        let here = members
            .iter()
            .filter(|member| numbers.contains(&member.port));
        let services: BTreeSet<&ServiceName> = here.map(|member| &member.service).collect();
        let mut found = unruled(ServiceName::clone(services.first()?));
        for service in services {
            if let Some(inbound) = self.inbound_of(service) {
                join(&mut found, &inbound);
            }
        }
        Some(Arc::new(found))
    }
}

/// Nothing to enforce for `service`.
const fn unruled(service: ServiceName) -> Inbound {
    Inbound {
        service,
        limits: Vec::new(),
        backpressure: None,
        shadow: None,
        routes: Vec::new(),
        scoped: Vec::new(),
    }
}

/// Adds what another service enforces at the same port: limits are conjunctive, each policy's counted once; the
/// routes of each service are told once; of what stands in front of the application for the same requests there is one,
/// the first.
fn join(found: &mut Inbound, other: &Inbound) {
    for rules in &other.limits {
        if found
            .limits
            .iter()
            .all(|known| (&known.policy, &known.reach) != (&rules.policy, &rules.reach))
        {
            found.limits.push(rules.clone());
        }
    }
    for routes in &other.routes {
        let mut known = found.routes.iter();
        if known.all(|known| known.service != routes.service) {
            found.routes.push(routes.clone());
        }
    }
    for scoped in &other.scoped {
        let mut known = found.scoped.iter();
        if known.all(|known| known.scope != scoped.scope) {
            found.scoped.push(scoped.clone());
        }
    }
    if found.backpressure.is_none() {
        found.backpressure.clone_from(&other.backpressure);
    }
    if found.shadow.is_none() {
        found.shadow.clone_from(&other.shadow);
    }
}

/// Whether nothing is known yet of where a service is, and soon will be.
fn awaits(endpoints: &[Address], names: &Names) -> bool {
    let is_awaited = |endpoint: &Address| {
        endpoint
            .host()
            .is_some_and(|host| names.addresses(host).is_empty())
    };
    let is_settled = |endpoint: &Address| endpoint.host().is_none_or(|host| names.is_settled(host));
    !endpoints.is_empty() && endpoints.iter().all(is_awaited) && !endpoints.iter().all(is_settled)
}

impl Built {
    fn new(outbound: &Arc<Cluster>, endpoints: &Arc<[Address]>, names: &Names) -> Self {
        let place = |cluster: &Cluster| Cluster {
            endpoints: endpoints_of(cluster, endpoints, |host| names.addresses(host)),
            ..cluster.clone()
        };
        let shadow = outbound.shadow.as_deref().map(place).map(Arc::new);
        let cluster = Arc::new(Cluster {
            shadow,
            ..place(outbound)
        });
        Self {
            outbound: outbound.clone(),
            endpoints: endpoints.clone(),
            cluster,
        }
    }

    fn is_of(&self, outbound: &Arc<Cluster>, endpoints: &Arc<[Address]>, names: &Names) -> bool {
        let has_hosts = || endpoints.iter().any(|endpoint| endpoint.host().is_some());
        let found = || endpoints_of(outbound, endpoints, |host| names.addresses(host));
        Arc::ptr_eq(&self.outbound, outbound)
            && Arc::ptr_eq(&self.endpoints, endpoints)
            && (!has_hosts() || self.cluster.endpoints == found())
    }
}
