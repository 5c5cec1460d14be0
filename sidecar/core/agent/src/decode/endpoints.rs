//! Endpoints of a service, and their place in its cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use proxy::config::{Cluster, Endpoint};

use super::groups::group_of;
use super::read::{Under, each, enumeration, port};
use super::{Fault, service};
use crate::identity::{Identity, ZONE};
use crate::mesh;

/// An endpoint that may be called, before it is known which ports its cluster has, and where its host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    instance: Arc<str>,
    place: Place,
    ports: BTreeMap<String, u16>,
    has_sidecar: bool,
    is_healthy: bool,
    is_near: bool,
    weight: u32,
    labels: BTreeMap<String, String>,
}

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    At(IpAddr),
    /// Wherever this name leads to.
    Host(Arc<str>),
}

impl Address {
    /// The name that has to be resolved.
    pub(crate) const fn host(&self) -> Option<&Arc<str>> {
        match &self.place {
            Place::At(_) => None,
            Place::Host(host) => Some(host),
        }
    }
}

/// The endpoints that may be called, sorted as they came: the healthy ones, or all where none is, since calling nobody
/// would help nobody.
pub(super) fn decode(wire: mesh::Endpoints, identity: &Identity) -> Result<Arc<[Address]>, Fault> {
    service(wire.service)?;
    let resolution: mesh::Resolution = enumeration("resolution", wire.resolution)?;
    let has_hosts = resolution == mesh::Resolution::Dns;
    let mut endpoints = each("endpoints", wire.endpoints, |wire| {
        endpoint(wire, has_hosts, identity)
    })?;
    if endpoints.iter().any(|endpoint| endpoint.is_healthy) {
        endpoints.retain(|endpoint| endpoint.is_healthy);
    }
    Ok(endpoints.into())
}

fn endpoint(wire: mesh::Endpoint, has_hosts: bool, identity: &Identity) -> Result<Address, Fault> {
    if wire.instance.is_empty() {
        return Err(Fault::new("instance", "expected a name, found none"));
    }
    let place = place(&wire.address, has_hosts)?;
    let health: mesh::Health = enumeration("health", wire.health)?;
    let read = |(name, number)| Ok((name, port("", number)?));
    let ports = wire
        .ports
        .into_iter()
        .map(read)
        .collect::<Result<_, Fault>>()
        .under("ports")?;
    Ok(Address {
        instance: wire.instance.into(),
        place,
        ports,
        has_sidecar: wire.has_sidecar,
        is_healthy: health != mesh::Health::Unhealthy,
        is_near: wire
            .labels
            .get(ZONE)
            .is_some_and(|zone| identity.is_in(zone)),
        weight: wire.weight.max(1),
        labels: wire.labels.into_iter().collect(),
    })
}

fn place(address: &str, has_hosts: bool) -> Result<Place, Fault> {
    match address.parse() {
        Ok(ip) => Ok(Place::At(ip)),
        Err(_) if has_hosts && !address.is_empty() => Ok(Place::Host(address.into())),
        Err(_) => Err(Fault::new(
            "address",
            format!("expected an IP address, found {address:?}"),
        )),
    }
}

/// The endpoints of `cluster`, given the addresses of each host name; one that serves none of its ports is left out,
/// and so is an address that another endpoint has already.
pub(crate) fn endpoints_of<'a>(
    cluster: &Cluster,
    addresses: &[Address],
    resolve: impl Fn(&str) -> &'a [IpAddr],
) -> Vec<Endpoint> {
    let (mut endpoints, mut resolved) = (Vec::with_capacity(addresses.len()), BTreeSet::new());
    for address in addresses {
        match &address.place {
            Place::At(ip) => endpoints.extend(address.at(*ip, address.instance.clone(), cluster)),
            Place::Host(host) => {
                for ip in resolve(host) {
                    let instance = format!("{}/{ip}", address.instance).into();
                    let found = address.at(*ip, instance, cluster);
                    endpoints.extend(found.filter(|one| resolved.insert(one.addresses.clone())));
                }
            }
        }
    }
    endpoints
}

impl Address {
    /// Whether a sidecar enforces limits there.
    pub(crate) const fn has_sidecar(&self) -> bool {
        self.has_sidecar
    }

    /// The endpoint at `ip`.
    fn at(&self, ip: IpAddr, instance: Arc<str>, cluster: &Cluster) -> Option<Endpoint> {
        let number = |name: &str| self.ports.get(name).map(|port| SocketAddr::new(ip, *port));
        let numbers = cluster.ports.iter().map(|port| number(&port.name));
        let addresses: Vec<_> = numbers.collect();
        addresses.iter().any(Option::is_some).then_some(Endpoint {
            instance,
            addresses,
            has_sidecar: self.has_sidecar,
            is_near: self.is_near,
            weight: self.weight,
            group: cluster
                .groups
                .as_ref()
                .and_then(|block| group_of(&block.params, &self.labels)),
        })
    }
}
