//! Who this sidecar is to rules that speak of callers.

use std::collections::BTreeMap;

use proxy::ServiceName;

use crate::mesh;

/// The label that says in which zone something runs, as on nodes of Kubernetes.
pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";

/// The services that a sidecar belongs to, and where it runs.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    services: Vec<ServiceName>,
    zone: Option<String>,
}

impl Identity {
    pub(crate) fn new(services: impl IntoIterator<Item = ServiceName>) -> Self {
        Self {
            services: services.into_iter().collect(),
            zone: None,
        }
    }

    /// The same, in the zone that these labels name.
    pub(crate) fn labelled(self, labels: &BTreeMap<String, String>) -> Self {
        Self {
            zone: labels.get(ZONE).cloned(),
            ..self
        }
    }

    /// Whether this is our own zone.
    pub(crate) fn is_in(&self, zone: &str) -> bool {
        self.zone.as_deref() == Some(zone)
    }

    pub(crate) fn services(&self) -> &[ServiceName] {
        &self.services
    }

    /// Whether `caller` speaks of us. Nothing vouches for a service account here, so rules for one never do.
    pub(crate) fn is(&self, caller: &mesh::CallerMatch) -> bool {
        let holds = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        let is_meant = |own: &ServiceName| {
            holds(&caller.namespace, own.namespace()) && holds(&caller.service, own.name())
        };
        caller.service_account.is_empty() && self.services.iter().any(is_meant)
    }
}
