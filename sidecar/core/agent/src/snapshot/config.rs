//! The configuration that all that is held makes.

use std::collections::HashMap;
use std::net::SocketAddr;

use proxy::config::{Config, Endpoint, Meaning, ServiceName};

use super::Snapshot;
use crate::decode::Decoded;
use crate::identity::Identity;
use crate::names::Names;

impl Snapshot {
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
                    config.unknown_destinations = settings.unknown_destinations;
                    config.tracing = settings.tracing;
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
}
