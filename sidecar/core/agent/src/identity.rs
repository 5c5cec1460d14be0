//! Who this sidecar is to rules that speak of callers.

use std::collections::{BTreeMap, BTreeSet};

use proxy::ServiceName;

use crate::mesh;
use crate::resource::{Id, Kind};

/// The label that says in which zone something runs, as on nodes of Kubernetes.
pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";

/// The services that a sidecar belongs to, as it was told or as its workload stands behind them, and where it runs.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    services: Vec<ServiceName>,
    workload: Option<Workload>,
    /// The service account that it acts as.
    account: Option<String>,
    /// The zone that a label of our own names, which nobody knows better.
    zone: Option<String>,
    /// The zone that the control plane found the workload in.
    found_zone: Option<String>,
    /// The application's ports with their services as it was told, if connections are led here.
    captured: Option<Vec<(u16, ServiceName)>>,
}

/// A workload of which the control plane knows the services.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    /// Its name.
    pub(crate) name: ServiceName,
    /// Its ports.
    pub(crate) ports: Vec<WorkloadPort>,
}

/// A port of such a workload.
#[derive(Clone, Debug)]
pub(crate) struct WorkloadPort {
    /// What the proxy calls it, whatever the services.
    pub(crate) name: ServiceName,
    /// The numbers at which others may reach it: the listener's, and the application's own.
    pub(crate) numbers: [u16; 2],
}

impl Workload {
    /// The resource that says what it stands behind.
    pub(crate) fn id(&self) -> Id {
        Id::new(Kind::Workload, self.name.as_str())
    }
}

impl Identity {
    /// How many ranks there are.
    pub(crate) const RANKS: u32 = 4;

    pub(crate) fn new(services: impl IntoIterator<Item = ServiceName>) -> Self {
        Self {
            services: services.into_iter().collect(),
            workload: None,
            account: None,
            zone: None,
            found_zone: None,
            captured: None,
        }
    }

    /// A workload that stands behind nothing yet, as far as it knows.
    pub(crate) const fn of(workload: Workload) -> Self {
        Self {
            services: Vec::new(),
            workload: Some(workload),
            account: None,
            zone: None,
            found_zone: None,
            captured: None,
        }
    }

    /// The same, acting as a service account of its namespace, if as any.
    pub(crate) fn acting_as(self, account: Option<String>) -> Self {
        Self { account, ..self }
    }

    /// The same, in the zone that these labels name.
    pub(crate) fn labelled(self, labels: &BTreeMap<String, String>) -> Self {
        Self {
            zone: labels.get(ZONE).cloned(),
            ..self
        }
    }

    /// The same, where connections are led here on their way to these ports of the application and to others.
    pub(crate) fn captured(self, ports: Vec<(u16, ServiceName)>) -> Self {
        Self {
            captured: Some(ports),
            ..self
        }
    }

    /// Whether connections are led here.
    pub(crate) const fn is_captured(&self) -> bool {
        self.captured.is_some()
    }

    /// The application's ports with their services as it was told, if connections are led here.
    pub(crate) fn captured_ports(&self) -> Option<&[(u16, ServiceName)]> {
        self.captured.as_deref()
    }

    /// Whether this is our own zone.
    pub(crate) fn is_in(&self, zone: &str) -> bool {
        let own = self.zone.as_ref().or(self.found_zone.as_ref());
        own.is_some_and(|own| own == zone)
    }

    /// The workload runs in `zone`, as far as the control plane knows. False when it did so before.
    pub(crate) fn run_in(&mut self, zone: Option<&String>) -> bool {
        let is_new = self.found_zone.as_ref() != zone;
        self.found_zone = zone.cloned();
        is_new
    }

    pub(crate) fn services(&self) -> &[ServiceName] {
        &self.services
    }

    pub(crate) const fn workload(&self) -> Option<&Workload> {
        self.workload.as_ref()
    }

    /// The workload stands behind `services` now. False when it did so before.
    pub(crate) fn stand_behind(&mut self, services: BTreeSet<ServiceName>) -> bool {
        let is_new = !services.iter().eq(&self.services);
        self.services = services.into_iter().collect();
        is_new
    }

    /// Whether `caller` speaks of us.
    pub(crate) fn is(&self, caller: &mesh::CallerMatch) -> bool {
        let holds = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        let is_meant = |own: &ServiceName| {
            holds(&caller.namespace, own.namespace()) && holds(&caller.service, own.name())
        };
        let is_near = |workload: &Workload| {
            caller.service.is_empty() && holds(&caller.namespace, workload.name.namespace())
        };
        let account = self.account.as_deref().unwrap_or_default();
        holds(&caller.service_account, account)
            && (self.services.iter().any(is_meant) || self.workload.as_ref().is_some_and(is_near))
    }
    /// How specifically `callers` speak of us: by service, account or namespace, or of everybody.
    pub(crate) fn rank(&self, callers: &[mesh::CallerMatch]) -> u32 {
        let ours = callers.iter().filter(|caller| self.is(caller));
        let rank = |caller: &mesh::CallerMatch| match caller {
            caller if !caller.service.is_empty() => 3,
            caller if !caller.service_account.is_empty() => 2,
            _ => 1,
        };
        ours.map(rank).max().unwrap_or_default()
    }
}
