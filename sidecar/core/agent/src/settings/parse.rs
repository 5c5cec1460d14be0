//! Reads the values of flags; every problem is told at once.

mod services;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use proxy::ProbedPath;
use values::{
    Probe, account, address, app_protocol, capture, controlplane, file, instance, ip, label, level,
    numbers, page, path, probe, socket_path, switch, upstream, wait, workload,
};

use super::{Contract, Settings, Trust};

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

/// How the application is asked whether it lives, by kind.
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

#[cfg(test)]
mod tests;
