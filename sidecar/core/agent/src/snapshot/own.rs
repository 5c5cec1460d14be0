//! What is enforced at the ports of our own workload.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use proxy::config::{Application, Inbound, Protocol, ServiceName};

use super::{Snapshot, unruled};
use crate::decode::{Decoded, Member};
use crate::identity::{Identity, WorkloadPort};
use crate::resource::{Id, Kind};

impl Snapshot {
    /// By the name under which each is listened for.
    pub(super) fn inbound(&self, identity: &Identity) -> HashMap<ServiceName, Arc<Inbound>> {
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
    pub(super) fn applications(&self, identity: &Identity) -> HashMap<u16, Application> {
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
