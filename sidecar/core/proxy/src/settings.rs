//! What a worker is started with, and what can keep it from starting.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use policy::standstill;

use crate::config::Protocol;
use crate::gauges::Gauges;
use crate::name::ServiceName;

/// What a worker is started with; fixed for its life.
#[derive(Debug)]
pub struct Settings {
    /// Names this sidecar in the mesh.
    pub instance: Arc<str>,
    /// Namespace in which names without one are looked up.
    pub namespace: Arc<str>,
    /// The workload's own service as metrics of its calls name it, `namespace/name`.
    pub peer: Arc<str>,
    /// Where others reach the workload.
    pub inbound: Vec<InboundListener>,
    /// Where rules of the system lead what others send to the application, if they do; what the application sends is
    /// then led to `outbound`.
    pub captured: Option<SocketAddr>,
    /// Ports on which captured connections are looked at only if somebody declares what is spoken there.
    pub opaque_ports: Vec<u16>,
    /// What the application speaks at its ports where captured connections lead, whatever its services say.
    pub app_protocols: Vec<(u16, Protocol)>,
    /// Where whoever runs the application asks whether it lives; nothing is enforced on that.
    pub probed: Vec<ProbedPath>,
    /// Where the workload sends its calls, by name of service.
    pub outbound: Option<SocketAddr>,
    /// Where the workload reaches one service each.
    pub upstreams: Vec<UpstreamListener>,
    /// Other addresses of this sidecar, which no endpoint may have: administration and metrics.
    pub own_addresses: Vec<SocketAddr>,
    /// What it may cost.
    pub bounds: Bounds,
    /// Where access log lines go.
    pub log: LogSink,
    /// How much is used of what limits of resources watch.
    pub gauges: Arc<Gauges>,
}

/// A port of the workload as others reach it.
#[derive(Clone, Debug)]
pub struct InboundListener {
    /// Where others connect.
    pub listen: SocketAddr,
    /// Where the application listens.
    pub app: SocketAddr,
    /// The service that is reached there.
    pub service: ServiceName,
}

/// A path at which the application is asked whether it lives: by `GET`, or how gRPC asks for its health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbedPath {
    /// The port of the application.
    pub port: u16,
    /// The path, with its query if it has one.
    pub path: Box<str>,
}

/// A port of its own for one service.
#[derive(Clone, Debug)]
pub struct UpstreamListener {
    /// Where the workload connects.
    pub listen: SocketAddr,
    /// The service called.
    pub service: ServiceName,
    /// The service's port.
    pub port: u16,
}

/// What a worker may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections accepted at once, over all listeners; an eighth of them only from others, and an eighth only from the
    /// workload.
    pub max_connections: usize,
    /// Descriptors in use, in the whole process, from which on no connection is begun or accepted.
    pub max_descriptors: usize,
    /// Unknown names that are asked for at once.
    pub max_demands: usize,
    /// Names remembered as unknown.
    pub max_unknown: usize,
    /// Services of which counts are kept when they are in force no more.
    pub max_services: usize,
    /// Inbound requests remembered by trace id.
    pub max_traces: usize,
    /// Lines waiting for the access log.
    pub max_log_lines: usize,
    /// How long answers wait for readers that take nothing, while memory is short.
    pub standstill: standstill::Params,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            max_connections: 16_384,
            max_descriptors: usize::MAX,
            max_demands: 64,
            max_unknown: 4_096,
            max_services: 1_024,
            max_traces: 16_384,
            max_log_lines: 4_096,
            standstill: standstill::Params::default(),
        }
    }
}

/// Where access log lines go: a writer with a thread of its own, or nowhere.
pub struct LogSink(pub(crate) Option<Box<dyn Write + Send>>);

impl LogSink {
    /// Lines go to `writer`, which may block.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Some(Box::new(writer)))
    }

    /// Lines go nowhere.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }
}

impl fmt::Debug for LogSink {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "LogSink({})",
            if self.0.is_some() { "writer" } else { "none" }
        )
    }
}

/// Why a worker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener could not be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The application's address is one of this sidecar's own.
    #[error("the application's address {address} is a listener of this sidecar")]
    AppIsListener {
        /// The address.
        address: SocketAddr,
    },
    /// The thread or its event loop could not be had.
    #[error("cannot start a worker: {0}")]
    Worker(#[from] io::Error),
}
