//! Clusters: what callers are told of a service, at the endpoints that it has.

use std::sync::Arc;

use proxy::config::Cluster;

use super::{Snapshot, awaits};
use crate::decode::{Address, Decoded, endpoints_of};
use crate::names::Names;

/// A cluster, kept while the values it was built from are the same ones.
#[derive(Debug)]
pub(super) struct Built {
    outbound: Arc<Cluster>,
    endpoints: Arc<[Address]>,
    pub(super) cluster: Arc<Cluster>,
}

impl Snapshot {
    /// Builds every cluster of which all is known.
    pub(super) fn build_clusters(&mut self, names: &Names) {
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
