//! The services that the workload is of, and which of its ports each of them has.

use std::net::SocketAddr;

use proxy::ServiceName;

use super::Reader;
use super::values::{App, SERVICE_PORT, address, app, service, workload};
use crate::settings::{OwnPort, OwnService};

/// Name of the workload's first port when it has none.
const FIRST_PORT: &str = "http";

impl Reader<'_> {
    pub(super) fn services(&mut self) -> Option<Vec<OwnService>> {
        let inbound = self.one("inbound", address);
        let named = self.each("service", service);
        let workload = self.each("workload", workload).pop();
        match (
            self.any("service").is_empty(),
            self.any("workload").is_empty(),
        ) {
            (true, true) => {
                self.problem("service", "expected NAMESPACE/NAME[:PORT], found nothing")
            }
            (false, false) => self.problem(
                "service",
                "excludes --workload, of which the control plane knows the services",
            ),
            _ => {}
        }
        let inbound = inbound?;
        let apps = self.each("app", |text| app(text, inbound.ip()));
        if let Some(workload) = workload {
            return Some(apart(&workload, self.ports(apps, inbound)));
        }
        if named.len() > 1 && named.len() != apps.len() {
            self.problem(
                "app",
                "expected one for each --service, in the same order, where there are several",
            );
            return None;
        }
        let ports = self.ports(apps, inbound);
        Some(assign(named, ports))
    }

    fn ports(&mut self, apps: Vec<App>, inbound: SocketAddr) -> Vec<OwnPort> {
        let mut ports: Vec<OwnPort> = Vec::new();
        for (index, app) in apps.into_iter().enumerate() {
            let default = (index == 0).then_some(inbound);
            let Some(listen) = app.listen.or(default) else {
                self.problem(
                    "app",
                    &format!(
                        "expected @LISTEN after the second and later, found {}",
                        app.address
                    ),
                );
                continue;
            };
            let number = if index == 0 {
                SERVICE_PORT
            } else {
                app.address.port()
            };
            let name = app.name.unwrap_or_else(|| port_name(index, number));
            ports.push(OwnPort {
                name,
                number,
                listen,
                app: app.address,
            });
        }
        ports
    }
}

/// One service has every port; several have one each, in order.
fn assign(named: Vec<(ServiceName, u16)>, mut ports: Vec<OwnPort>) -> Vec<OwnService> {
    let several = named.len() > 1;
    let mut services = Vec::new();
    for (name, number) in named {
        let rest = if several {
            ports.split_off(ports.len().min(1))
        } else {
            Vec::new()
        };
        let mut own = std::mem::replace(&mut ports, rest);
        if let Some(first) = own.first_mut() {
            first.number = number;
        }
        services.push(OwnService { name, ports: own });
    }
    services
}

/// Each port under a name of its own, which no service has.
fn apart(workload: &ServiceName, ports: Vec<OwnPort>) -> Vec<OwnService> {
    let of = |port: OwnPort| {
        let name = format!("{}:{}", workload.name(), port.listen.port());
        OwnService {
            name: ServiceName::new(workload.namespace(), &name),
            ports: vec![port],
        }
    };
    ports.into_iter().map(of).collect()
}

fn port_name(index: usize, number: u16) -> String {
    if index == 0 {
        FIRST_PORT.to_owned()
    } else {
        format!("port-{number}")
    }
}
