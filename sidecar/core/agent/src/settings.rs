//! What a sidecar is started with: the values of its flags, as typed things.

mod parse;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use proxy::config::Protocol;
use proxy::{InboundListener, ProbedPath, ServiceName, UpstreamListener};

use crate::Level;
use crate::identity::{Identity, Workload, WorkloadPort};

pub use parse::{Problem, parse};

/// What a sidecar is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names the sidecar, unique in the mesh.
    pub instance: String,
    /// The workload that it stands beside, where the control plane knows the services.
    pub workload: Option<ServiceName>,
    /// The service account that the workload runs as, which control planes compare with what proves who this is.
    pub service_account: Option<String>,
    /// Services it belongs to, at least one without a `workload`; the first says its namespace. With one, a service
    /// for each port, under a name of its own.
    pub services: Vec<OwnService>,
    /// Where control planes listen, `HOST:PORT`; empty: none is asked.
    pub controlplane: Vec<String>,
    /// How they are trusted, and what proves to them who this is.
    pub trust: Trust,
    /// What others reach the workload by; `None`: the address that reaches the control plane.
    pub advertise: Option<IpAddr>,
    /// Where rules of the system lead what others send to the application, where they do, and to `outbound` what it
    /// sends.
    pub captured: Option<SocketAddr>,
    /// Ports on which captured connections are looked at only if somebody declares what is spoken there.
    pub opaque_ports: Vec<u16>,
    /// What the application speaks at its ports where captured connections lead, whatever its services say.
    pub app_protocols: Vec<(u16, Protocol)>,
    /// Where whoever runs the application asks whether it lives; nothing is enforced on that.
    pub probed_paths: Vec<ProbedPath>,
    /// Ports of the application of which the pages say whether anybody takes connections there.
    pub probed_ports: Vec<u16>,
    /// Where it is asked over TLS, ports and paths; the pages pass that on.
    pub probed_over_tls: Vec<(u16, String)>,
    /// Where the application shows what it measures, its port and path; the pages show it beside ours.
    pub app_metrics: Option<(u16, String)>,
    /// Where the workload sends its calls.
    pub outbound: SocketAddr,
    /// Ports of their own for single services.
    pub upstreams: Vec<UpstreamListener>,
    /// How long it waits for a first configuration before everything passes without one; `None`: for ever.
    pub pass_through_after: Option<Duration>,
    /// How long what is in flight is waited for when it is told to end, unless whoever tells it says.
    pub drain_timeout: Duration,
    /// The socket of `SidecarAdminService`.
    pub admin: PathBuf,
    /// Where metrics and health are served.
    pub http: SocketAddr,
    /// Where the last good configuration is kept.
    pub state_dir: PathBuf,
    /// How much is logged.
    pub log_level: Level,
    /// The cgroup of the workload; `None`: that of the sidecar.
    pub cgroup: Option<PathBuf>,
    /// What the services promise.
    pub contract: Contract,
    /// Labels of the instance; that of its zone says which endpoints are near.
    pub labels: BTreeMap<String, String>,
}

/// How control planes are trusted, and what proves to them who a sidecar is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// The file with the roots that vouch for them, in PEM; `None`: plain text.
    pub ca: Option<PathBuf>,
    /// The file with the bearer token; `None`: nothing is proven.
    pub token: Option<PathBuf>,
}

/// A service that the workload belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnService {
    /// Its name.
    pub name: ServiceName,
    /// The ports of the workload behind it; empty for a workload that only calls.
    pub ports: Vec<OwnPort>,
}

/// A port of the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPort {
    /// Name within the service.
    pub name: String,
    /// Number that callers use.
    pub number: u16,
    /// Where others connect.
    pub listen: SocketAddr,
    /// Where the application listens.
    pub app: SocketAddr,
}

/// What a service promises.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contract {
    /// Team or person in charge.
    pub owner: String,
    /// Version of the service.
    pub version: String,
    /// Methods that may be repeated: HTTP methods, or full gRPC method names.
    pub idempotent_methods: Vec<String>,
    /// Link to documentation.
    pub documentation: String,
}

impl Settings {
    /// Namespace in which names without one are looked up.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.first().map_or("", ServiceName::namespace)
    }

    /// The service that measurements of its calls name, the first.
    #[must_use]
    pub fn peer(&self) -> &str {
        self.first().map_or("", ServiceName::as_str)
    }

    fn first(&self) -> Option<&ServiceName> {
        let service = self.services.first().map(|service| &service.name);
        self.workload.as_ref().or(service)
    }

    /// Services that the sidecar says it belongs to; none when the control plane knows.
    pub(crate) fn named(&self) -> Vec<ServiceName> {
        if self.workload.is_some() {
            return Vec::new();
        }
        self.services
            .iter()
            .map(|service| service.name.clone())
            .collect()
    }

    /// Who the sidecar is, as far as it is told.
    pub(crate) fn identity(&self) -> Identity {
        let identity = self.bare_identity().acting_as(self.service_account.clone());
        if self.captured.is_none() {
            return identity;
        }
        let of = |service: &OwnService| {
            let ports = service.ports.iter().map(|port| port.app.port());
            let numbered = |number| (number, service.name.clone());
            ports.map(numbered).collect::<Vec<_>>()
        };
        identity.captured(self.services.iter().flat_map(of).collect())
    }

    fn bare_identity(&self) -> Identity {
        let Some(name) = self.workload.clone() else {
            return Identity::new(self.named());
        };
        let of = |service: &OwnService| {
            let name = service.name.clone();
            let numbers = |port: &OwnPort| [port.listen.port(), port.app.port()];
            let ports = service.ports.iter().map(numbers);
            ports
                .map(|numbers| WorkloadPort {
                    name: name.clone(),
                    numbers,
                })
                .collect::<Vec<_>>()
        };
        let ports = self.services.iter().flat_map(of).collect();
        Identity::of(Workload { name, ports })
    }

    /// The ports of the workload, as the proxy listens for them.
    pub(crate) fn inbound(&self) -> Vec<InboundListener> {
        let listener = |service: &OwnService, port: &OwnPort| InboundListener {
            listen: port.listen,
            app: port.app,
            service: service.name.clone(),
        };
        let of_service = |service: &'_ OwnService| {
            service
                .ports
                .iter()
                .map(|port| listener(service, port))
                .collect::<Vec<_>>()
        };
        self.services.iter().flat_map(of_service).collect()
    }
}
