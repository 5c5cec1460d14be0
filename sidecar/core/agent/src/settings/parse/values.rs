//! What each flag takes: text becomes a value, or a sentence about what was expected and found.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use proxy::config::Protocol;
use proxy::{ServiceName, UpstreamListener};

use crate::Level;

/// Port of a service that does not say one.
pub(super) const SERVICE_PORT: u16 = 80;
/// Longest wait, seconds.
const LONGEST_WAIT: f64 = 3_600.0;

/// The value of `--app` before it is known which service it belongs to.
pub(super) struct App {
    pub(super) name: Option<String>,
    pub(super) address: SocketAddr,
    pub(super) listen: Option<SocketAddr>,
}

/// How the application is asked whether it lives.
pub(super) enum Probe {
    Connection(u16),
    Get(u16, String),
    OverTls(u16, String),
}

pub(super) fn instance(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_name =
        (1..=253).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('.');
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| format!("expected letters, digits, '-', '_' and '.', found {text:?}"))
}

pub(super) fn service(text: &str) -> Result<(ServiceName, u16), String> {
    let expected = || format!("expected NAMESPACE/NAME[:PORT], found {text:?}");
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, number(port).ok_or_else(expected)?),
        None => (text, SERVICE_PORT),
    };
    Ok((service_name(name).ok_or_else(expected)?, port))
}

pub(super) fn workload(text: &str) -> Result<ServiceName, String> {
    ServiceName::parse(text)
        .filter(|found| is_label(found.namespace()) && is_dotted(found.name()))
        .ok_or_else(|| format!("expected NAMESPACE/POD, found {text:?}"))
}

pub(super) fn account(text: &str) -> Result<String, String> {
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

pub(super) fn numbers(text: &str) -> Result<Vec<u16>, String> {
    let found: Option<Vec<u16>> = text.split(',').map(|item| number(item.trim())).collect();
    found.ok_or_else(|| format!("expected PORT[,PORT...], found {text:?}"))
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|number| *number > 0)
}

pub(super) fn app_protocol(text: &str) -> Result<(u16, Protocol), String> {
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

pub(super) fn level(text: &str) -> Result<Level, String> {
    Level::parse(text).ok_or_else(|| format!("expected error, warn, info or debug, found {text:?}"))
}

/// A port of the application, and a path unless connecting is all there is to it.
pub(super) fn probe(text: &str) -> Result<Probe, String> {
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
pub(super) fn page(text: &str) -> Result<(u16, String), String> {
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

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("expected ADDR:PORT, found {text:?}"))
}

pub(super) fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| format!("expected an IP address, found {text:?}"))
}

pub(super) fn app(text: &str, inbound: IpAddr) -> Result<App, String> {
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

pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let split = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = split.ok_or_else(|| format!("expected NAME=VALUE, found {text:?}"))?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn upstream(text: &str) -> Result<UpstreamListener, String> {
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
pub(super) fn capture(text: &str) -> Result<bool, String> {
    match text {
        "explicit" => Ok(false),
        "redirect" => Ok(true),
        _ => Err(format!("expected explicit or redirect, found {text}")),
    }
}

pub(super) fn wait(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|seconds| (0.0..=LONGEST_WAIT).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("expected seconds from 0 to {LONGEST_WAIT}, found {text:?}"))
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    text.parse()
        .map_err(|_| format!("expected true or false, found {text:?}"))
}

pub(super) fn socket_path(text: &str) -> Result<PathBuf, String> {
    let path = text.strip_prefix("unix:").filter(|path| !path.is_empty());
    path.map(PathBuf::from)
        .ok_or_else(|| format!("expected unix:PATH, found {text:?}"))
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    not_empty(text, "a directory")
}

pub(super) fn file(text: &str) -> Result<PathBuf, String> {
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
pub(super) fn controlplane(text: &str, is_allowed: bool) -> Result<(), String> {
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
