//! Endpoints of a service, and their place in its cluster.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use proxy::config::{Cluster, Endpoint};

use super::read::{Under, each, enumeration, port};
use super::{Fault, service};
use crate::mesh;

/// An endpoint that may be called, before it is known which ports its cluster has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    instance: Arc<str>,
    address: IpAddr,
    ports: BTreeMap<String, u16>,
    has_sidecar: bool,
}

/// The endpoints that may be called, sorted as they came.
pub(super) fn decode(wire: mesh::Endpoints) -> Result<Arc<[Address]>, Fault> {
    service(wire.service)?;
    let endpoints = each("endpoints", wire.endpoints, endpoint)?;
    Ok(endpoints.into_iter().flatten().collect())
}

/// `None` for one that must not be called.
fn endpoint(wire: mesh::Endpoint) -> Result<Option<Address>, Fault> {
    if wire.instance.is_empty() {
        return Err(Fault::new("instance", "expected a name, found none"));
    }
    let unknown = || {
        Fault::new(
            "address",
            format!("expected an IP address, found {:?}", wire.address),
        )
    };
    let address = wire.address.parse().map_err(|_| unknown())?;
    let health: mesh::Health = enumeration("health", wire.health)?;
    let read = |(name, number)| Ok((name, port("", number)?));
    let ports = wire
        .ports
        .into_iter()
        .map(read)
        .collect::<Result<_, Fault>>()
        .under("ports")?;
    let endpoint = Address {
        instance: wire.instance.into(),
        address,
        ports,
        has_sidecar: wire.has_sidecar,
    };
    Ok((health != mesh::Health::Unhealthy).then_some(endpoint))
}

/// `cluster` with these endpoints; one that serves none of its ports is left out.
pub(crate) fn with_endpoints(cluster: &Cluster, addresses: &[Address]) -> Cluster {
    let endpoint = |endpoint: &Address| {
        let at = |name: &str| {
            endpoint
                .ports
                .get(name)
                .map(|port| SocketAddr::new(endpoint.address, *port))
        };
        let addresses: Vec<_> = cluster.ports.iter().map(|port| at(&port.name)).collect();
        let is_served = addresses.iter().any(Option::is_some);
        let (instance, has_sidecar) = (endpoint.instance.clone(), endpoint.has_sidecar);
        is_served.then_some(Endpoint {
            instance,
            addresses,
            has_sidecar,
        })
    };
    Cluster {
        endpoints: addresses.iter().filter_map(endpoint).collect(),
        ..cluster.clone()
    }
}
