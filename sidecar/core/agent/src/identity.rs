//! Who this sidecar is to rules that speak of callers.

use proxy::ServiceName;

use crate::mesh;

/// The services that a sidecar belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    services: Vec<ServiceName>,
}

impl Identity {
    pub(crate) fn new(services: impl IntoIterator<Item = ServiceName>) -> Self {
        Self {
            services: services.into_iter().collect(),
        }
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
