//! Everything that listens, opened before anything is served.

use std::io::{self, ErrorKind};
use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use proxy::report::{Event, Span};
use proxy::{Bounds, Demand, Gauges, Handle, LogSink, Outlets};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;

use crate::error::Error;
use crate::log::Log;
use crate::settings::Settings;
use crate::{admin, descriptors};

/// Demands, events and spans of the worker that wait for the agent.
const DEMANDS: usize = 64;
const EVENTS: usize = 256;
const SPANS: usize = 4_096;
/// Listeners that capturing takes beside others: its own, and twins for the other family of addresses.
const CAPTURING: usize = 3;

/// Listeners of the agent, and the worker with its own.
#[derive(Debug)]
pub(crate) struct Doors {
    pub(crate) http: Vec<TcpListener>,
    /// `None` where nothing can be written: traffic does not depend on being asked.
    pub(crate) admin: Option<UnixListener>,
    pub(crate) proxy: Handle,
    pub(crate) demands: mpsc::Receiver<Demand>,
    pub(crate) told: mpsc::Receiver<Event>,
    pub(crate) spans: mpsc::Receiver<Span>,
    /// Where the worker reads what is measured.
    pub(crate) gauges: Arc<Gauges>,
}

impl Doors {
    pub(crate) fn open(settings: &Settings, access_log: LogSink, log: &Log) -> Result<Self, Error> {
        let (address, path) = (settings.http, &settings.admin);
        let http = listen(address).map_err(|source| Error::Http { address, source })?;
        let admin = open_admin(path, log)?;
        let (demand, demands) = mpsc::channel(DEMANDS);
        let (events, told) = mpsc::channel(EVENTS);
        let (span, spans) = mpsc::channel(SPANS);
        let gauges = Arc::default();
        let worker = proxy::Settings {
            gauges: Arc::clone(&gauges),
            ..worker(settings, access_log, bounds(settings, log))
        };
        let proxy = proxy::start(
            worker,
            Outlets {
                demands: demand,
                events,
                spans: span,
            },
        )?;
        Ok(Self {
            http,
            admin,
            proxy,
            demands,
            told,
            spans,
            gauges,
        })
    }
}

fn listen(address: SocketAddr) -> io::Result<Vec<TcpListener>> {
    let listeners = proxy::bind_at(address)?.into_iter();
    listeners.map(TcpListener::from_std).collect()
}

fn open_admin(path: &Path, log: &Log) -> Result<Option<UnixListener>, Error> {
    match admin::listen(path) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if is_unwritable(error.kind()) => {
            log.error(
                "administration not served",
                &[("path", &path.display()), ("reason", &error)],
            );
            Ok(None)
        }
        Err(source) => Err(Error::Admin {
            path: path.to_owned(),
            source,
        }),
    }
}

const fn is_unwritable(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied | ErrorKind::StorageFull
    )
}

/// What the worker may cost, given the descriptors that the process may have.
fn bounds(settings: &Settings, log: &Log) -> Bounds {
    let limit = descriptors::raise();
    let bounds = descriptors::bounds(limit, listeners(settings));
    if bounds.max_connections < Bounds::default().max_connections {
        let connections = bounds.max_connections;
        log.info(
            "connections bounded by descriptors",
            &[("limit", &limit), ("connections", &connections)],
        );
    }
    bounds
}

/// How many listeners the worker has at most.
fn listeners(settings: &Settings) -> usize {
    let inbound = settings.inbound().into_iter().map(|port| port.listen);
    let upstreams = settings.upstreams.iter().map(|upstream| upstream.listen);
    let of_ports = inbound.chain(upstreams).map(families).sum::<usize>();
    of_ports + families(settings.outbound) + settings.captured.map_or(0, |_| CAPTURING)
}

/// How many listeners there are at most at an address.
fn families(address: SocketAddr) -> usize {
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        2
    } else {
        1
    }
}

fn worker(settings: &Settings, access_log: LogSink, bounds: Bounds) -> proxy::Settings {
    proxy::Settings {
        instance: settings.instance.as_str().into(),
        namespace: settings.namespace().into(),
        peer: settings.peer().into(),
        inbound: settings.inbound(),
        captured: settings.captured,
        opaque_ports: settings.opaque_ports.clone(),
        app_protocols: settings.app_protocols.clone(),
        probed: settings.probed_paths.clone(),
        outbound: Some(settings.outbound),
        upstreams: settings.upstreams.clone(),
        own_addresses: vec![settings.http],
        bounds,
        log: access_log,
        gauges: Arc::default(),
    }
}
