//! Reads the values of flags; every problem is told at once.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use proxy::config::Protocol;
use proxy::{ProbedPath, ServiceName, UpstreamListener};

use crate::Level;

use super::{Contract, OwnPort, OwnService, Settings, Trust};

/// Port of a service that does not say one.
const SERVICE_PORT: u16 = 80;
/// Name of the workload's first port when it has none.
const FIRST_PORT: &str = "http";
/// Longest wait, seconds.
const LONGEST_WAIT: f64 = 3_600.0;

/// A value that is not what its flag takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The flag, without dashes.
    pub flag: &'static str,
    /// What was expected and found.
    pub message: String,
}

/// Reads `values`, by flag without dashes; a flag that is absent has no value.
///
/// # Errors
/// Every problem there is.
pub fn parse(values: &BTreeMap<String, Vec<String>>) -> Result<Settings, Vec<Problem>> {
    let mut reader = Reader {
        values,
        problems: Vec::new(),
    };
    let settings = reader.settings();
    match settings {
        Some(settings) if reader.problems.is_empty() => Ok(settings),
        _ => Err(reader.problems),
    }
}

struct Reader<'a> {
    values: &'a BTreeMap<String, Vec<String>>,
    problems: Vec<Problem>,
}

/// The value of `--app` before it is known which service it belongs to.
struct App {
    name: Option<String>,
    address: SocketAddr,
    listen: Option<SocketAddr>,
}

/// How the application is asked whether it lives.
enum Probe {
    Connection(u16),
    Get(u16, String),
    OverTls(u16, String),
}

/// All of them, by kind.
#[derive(Default)]
struct Probed {
    paths: Vec<ProbedPath>,
    ports: Vec<u16>,
    over_tls: Vec<(u16, String)>,
}

impl Reader<'_> {
    /// `None` only together with a problem.
    fn settings(&mut self) -> Option<Settings> {
        self.only("workers", "1");
        let (instance, services) = (self.one("instance", instance), self.services());
        let probed = self.probed();
        let (outbound, http) = (self.one("outbound", address), self.one("http", address));
        let (admin, state_dir) = (self.one("admin", socket_path), self.one("state-dir", path));
        let drain_timeout = self.one("drain-timeout", wait);
        Some(Settings {
            trust: self.trust(),
            workload: self.each("workload", workload).pop(),
            service_account: self.each("service-account", account).pop(),
            controlplane: self.controlplane(),
            advertise: self.each("advertise", ip).pop(),
            captured: self.captured(),
            opaque_ports: self.opaque_ports(),
            app_protocols: self.each("app-protocol", app_protocol),
            app_metrics: self.each("app-metrics", page).pop(),
            log_level: self.each("log-level", level).pop().unwrap_or_default(),
            probed_paths: probed.paths,
            probed_ports: probed.ports,
            probed_over_tls: probed.over_tls,
            upstreams: self.each("upstream", upstream),
            pass_through_after: self.each("pass-through-after", wait).pop(),
            drain_timeout: drain_timeout?,
            contract: self.contract(),
            labels: self.each("label", label).into_iter().collect(),
            cgroup: self.each("cgroup", path).pop(),
            instance: instance?,
            services: services?,
            outbound: outbound?,
            http: http?,
            admin: admin?,
            state_dir: state_dir?,
        })
    }

    fn captured(&mut self) -> Option<SocketAddr> {
        let is_captured = self.each("capture", capture).pop()?;
        let inbound = self.any("inbound").first()?.parse().ok()?;
        is_captured.then_some(inbound)
    }

    fn opaque_ports(&mut self) -> Vec<u16> {
        let lists = self.each("opaque-ports", numbers);
        lists.into_iter().flatten().collect()
    }

    fn probed(&mut self) -> Probed {
        let mut found = Probed::default();
        for probe in self.each("probe", probe) {
            match probe {
                Probe::Connection(port) => found.ports.push(port),
                Probe::Get(port, path) => found.paths.push(ProbedPath {
                    port,
                    path: path.into(),
                }),
                Probe::OverTls(port, path) => found.over_tls.push((port, path)),
            }
        }
        found
    }

    fn services(&mut self) -> Option<Vec<OwnService>> {
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

    fn controlplane(&mut self) -> Vec<String> {
        let insecure = self.each("insecure", switch).pop() == Some(true);
        let is_secure = !self.any("controlplane-ca").is_empty();
        let list = self
            .any("controlplane")
            .iter()
            .flat_map(|value| value.split(','))
            .map(str::to_owned);
        let list: Vec<String> = list.collect();
        for address in &list {
            if let Err(message) = controlplane(address, insecure || is_secure) {
                self.problem("controlplane", &message);
            }
        }
        list
    }

    /// A token is for the control plane alone, so it never travels in plain text.
    fn trust(&mut self) -> Trust {
        let ca = self.each("controlplane-ca", file).pop();
        let token = self.each("token-file", file).pop();
        if token.is_some() && ca.is_none() {
            self.problem(
                "token-file",
                "a token is sent over TLS alone: name who signs for control planes with --controlplane-ca FILE",
            );
        }
        Trust { ca, token }
    }

    fn contract(&self) -> Contract {
        let first = |flag| self.any(flag).first().cloned().unwrap_or_default();
        let mut idempotent_methods = self.any("idempotent").to_vec();
        idempotent_methods.sort();
        Contract {
            owner: first("owner"),
            version: first("contract-version"),
            documentation: first("documentation"),
            idempotent_methods,
        }
    }

    fn any(&self, flag: &str) -> &[String] {
        self.values.get(flag).map_or(&[], Vec::as_slice)
    }

    fn one<T>(
        &mut self,
        flag: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let Some(value) = self.any(flag).first().cloned() else {
            self.problem(flag, "expected a value, found nothing");
            return None;
        };
        read(&value)
            .map_err(|message| self.problem(flag, &message))
            .ok()
    }

    fn each<T>(&mut self, flag: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let results: Vec<_> = self.any(flag).iter().map(|value| read(value)).collect();
        let mut found = Vec::new();
        for result in results {
            match result {
                Ok(value) => found.push(value),
                Err(message) => self.problem(flag, &message),
            }
        }
        found
    }

    fn only(&mut self, flag: &'static str, value: &str) {
        let found = self.any(flag).iter().find(|found| *found != value).cloned();
        if let Some(found) = found {
            self.problem(
                flag,
                &format!("expected {value}, the only one there is, found {found}"),
            );
        }
    }

    fn problem(&mut self, flag: &'static str, message: &str) {
        self.problems.push(Problem {
            flag,
            message: message.to_owned(),
        });
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

fn instance(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_name =
        (1..=253).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('.');
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| format!("expected letters, digits, '-', '_' and '.', found {text:?}"))
}

fn service(text: &str) -> Result<(ServiceName, u16), String> {
    let expected = || format!("expected NAMESPACE/NAME[:PORT], found {text:?}");
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, number(port).ok_or_else(expected)?),
        None => (text, SERVICE_PORT),
    };
    Ok((service_name(name).ok_or_else(expected)?, port))
}

fn workload(text: &str) -> Result<ServiceName, String> {
    ServiceName::parse(text)
        .filter(|found| is_label(found.namespace()) && is_dotted(found.name()))
        .ok_or_else(|| format!("expected NAMESPACE/POD, found {text:?}"))
}

fn account(text: &str) -> Result<String, String> {
    let found = is_dotted(text).then(|| text.to_owned());
    found.ok_or_else(|| format!("expected the name of a service account, found {text:?}"))
}

/// Whether `text` is a name that may have dots, as those of pods and of accounts may, unlike a service's.
fn is_dotted(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

fn service_name(text: &str) -> Option<ServiceName> {
    let name = ServiceName::parse(text)?;
    (is_label(name.namespace()) && is_label(name.name())).then_some(name)
}

/// Whether `text` is a DNS label, as names of objects are.
fn is_label(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(fits)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn numbers(text: &str) -> Result<Vec<u16>, String> {
    let found: Option<Vec<u16>> = text.split(',').map(|item| number(item.trim())).collect();
    found.ok_or_else(|| format!("expected PORT[,PORT...], found {text:?}"))
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|number| *number > 0)
}

fn app_protocol(text: &str) -> Result<(u16, Protocol), String> {
    let read = || {
        let (port, word) = text.split_once('=')?;
        let protocol = match word {
            "http" => Protocol::Http,
            "tcp" => Protocol::Opaque,
            "detect" => Protocol::Any,
            _ => return None,
        };
        Some((number(port)?, protocol))
    };
    read().ok_or_else(|| format!("expected PORT=http, tcp or detect, found {text:?}"))
}

fn level(text: &str) -> Result<Level, String> {
    Level::parse(text).ok_or_else(|| format!("expected error, warn, info or debug, found {text:?}"))
}

/// A port of the application, and a path unless connecting is all there is to it.
fn probe(text: &str) -> Result<Probe, String> {
    if let Some(rest) = text.strip_prefix("https:") {
        return page(rest).map(|(port, path)| Probe::OverTls(port, path));
    }
    let (port, path) = port_and_path(text)
        .ok_or_else(|| format!("expected [https:]PORT[/PATH], found {text:?}"))?;
    Ok(if path.is_empty() {
        Probe::Connection(port)
    } else {
        Probe::Get(port, path.to_owned())
    })
}

/// A port of the application and a path.
fn page(text: &str) -> Result<(u16, String), String> {
    port_and_path(text)
        .filter(|(_, path)| !path.is_empty())
        .map(|(port, path)| (port, path.to_owned()))
        .ok_or_else(|| format!("expected PORT/PATH, found {text:?}"))
}

fn port_and_path(text: &str) -> Option<(u16, &str)> {
    let (port, path) = text.split_at(text.find('/').unwrap_or(text.len()));
    let is_whole = path.bytes().all(|byte| byte.is_ascii_graphic());
    number(port).filter(|_| is_whole).map(|port| (port, path))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("expected ADDR:PORT, found {text:?}"))
}

fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| format!("expected an IP address, found {text:?}"))
}

fn app(text: &str, inbound: IpAddr) -> Result<App, String> {
    let expected = || format!("expected [NAME=]ADDR:PORT[@LISTEN], found {text:?}");
    let (name, rest) = match text.split_once('=') {
        Some((name, rest)) => (Some(name), rest),
        None => (None, text),
    };
    if name.is_some_and(|name| !is_label(name)) {
        return Err(expected());
    }
    let (app, listen) = match rest.split_once('@') {
        Some((app, listen)) => (
            app,
            Some(listen_address(listen, inbound).ok_or_else(expected)?),
        ),
        None => (rest, None),
    };
    let address = app.parse().map_err(|_| expected())?;
    Ok(App {
        name: name.map(str::to_owned),
        address,
        listen,
    })
}

fn listen_address(text: &str, inbound: IpAddr) -> Option<SocketAddr> {
    let port = || number(text).map(|port| SocketAddr::new(inbound, port));
    text.parse().ok().or_else(port)
}

fn label(text: &str) -> Result<(String, String), String> {
    let split = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = split.ok_or_else(|| format!("expected NAME=VALUE, found {text:?}"))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn upstream(text: &str) -> Result<UpstreamListener, String> {
    let read = || {
        let (listen, target) = text.split_once('=')?;
        let (name, port) = target.rsplit_once(':')?;
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let listen = listen_address(listen, loopback)?;
        Some(UpstreamListener {
            listen,
            service: service_name(name)?,
            port: number(port)?,
        })
    };
    read().ok_or_else(|| format!("expected LISTEN=NAMESPACE/NAME:PORT, found {text:?}"))
}

/// Whether connections are led here, rather than sent.
fn capture(text: &str) -> Result<bool, String> {
    match text {
        "explicit" => Ok(false),
        "redirect" => Ok(true),
        _ => Err(format!("expected explicit or redirect, found {text}")),
    }
}

fn wait(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|seconds| (0.0..=LONGEST_WAIT).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("expected seconds from 0 to {LONGEST_WAIT}, found {text:?}"))
}

fn switch(text: &str) -> Result<bool, String> {
    text.parse()
        .map_err(|_| format!("expected true or false, found {text:?}"))
}

fn socket_path(text: &str) -> Result<PathBuf, String> {
    let path = text.strip_prefix("unix:").filter(|path| !path.is_empty());
    path.map(PathBuf::from)
        .ok_or_else(|| format!("expected unix:PATH, found {text:?}"))
}

fn path(text: &str) -> Result<PathBuf, String> {
    not_empty(text, "a directory")
}

fn file(text: &str) -> Result<PathBuf, String> {
    not_empty(text, "a file")
}

fn not_empty(text: &str, what: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        Err(format!("expected {what}, found nothing"))
    } else {
        Ok(text.into())
    }
}

/// `is_allowed` says that the connection is encrypted, or need not be.
fn controlplane(text: &str, is_allowed: bool) -> Result<(), String> {
    let split = text
        .rsplit_once(':')
        .filter(|(host, port)| !host.is_empty() && number(port).is_some());
    let Some((host, _)) = split else {
        return Err(format!("expected HOST:PORT[,HOST:PORT...], found {text:?}"));
    };
    if is_allowed || is_loopback(host) {
        return Ok(());
    }
    Err(format!(
        "{host} is not on this machine: name who signs for it with --controlplane-ca FILE, or allow plain text \
         with --insecure"
    ))
}

fn is_loopback(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || literal
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
