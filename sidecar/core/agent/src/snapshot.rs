//! What the sidecar applies: resources with what they say, and the configuration that they make. Pure.

mod clusters;
mod config;
mod own;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use clusters::Built;
use proxy::config::{Inbound, ServiceName};

use crate::decode::{Address, Decoded, Member, decode};
use crate::identity::Identity;
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
