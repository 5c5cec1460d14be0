//! What a worker enforces: plain immutable values, built off the request path and swapped in whole.
//!
//! Whoever builds a [`Config`] keeps the `Arc` of every cluster and inbound that did not change: the worker takes
//! the same `Arc` as proof that there is nothing to do. Machine state (breakers, buckets, budgets, pools) lives in the
//! worker, survives edits of its figures, and goes with its block, its endpoint or its cluster.

mod backpressure;
mod choice;
mod cluster;
mod fallback;
mod fault;
mod limits;
mod matching;
mod routes;
mod scope;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use policy::Percent;
use policy::trace_context::Sampling;

pub use crate::name::{PolicyRef, ServiceName};
pub(crate) use backpressure::Standing;
pub use backpressure::{Backpressure, Class, ScopedBackpressure};
pub use choice::{Assignment, Balancing, Group, Groups, HashOn, HealthCheck, Outliers, Probe};
pub use cluster::{Breaker, Bulkhead, Cluster, Endpoint, Hedge, Pool, Port, Retry, Timeouts};
pub use fallback::{Fallback, Instead};
pub use fault::Fault;
pub use limits::{
    Adaptive, Cost, Exemption, Follows, Limit, LimitHeaders, LimitResponse, LimitRules, OnMissing,
    ResourceLimit, Subject,
};
pub use matching::{HeaderMatch, PathMatch, RequestMatch};
pub use routes::{HeaderEdits, InboundRoutes, RouteBackend, RouteMirror, RouteRule, RouteSettings};
pub(crate) use scope::Way;
pub use scope::{Reach, Scope};

/// Everything that a worker enforces.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The access log.
    pub access_log: AccessLog,
    /// Which traces are recorded of those that begin here, where spans are recorded at all.
    pub tracing: Option<Sampling>,
    /// Service behind each host name in its canonical form: lower case, no port, no final dot, names of the mesh as
    /// `name.namespace`.
    pub hosts: HashMap<Box<str>, ServiceName>,
    /// How callers, this sidecar's workload, treat a service.
    pub clusters: HashMap<ServiceName, Arc<Cluster>>,
    /// What this sidecar enforces at its listeners, by what their settings name.
    pub inbound: HashMap<ServiceName, Arc<Inbound>>,
    /// The ports of the application whose connections are led here.
    pub applications: HashMap<u16, Application>,
    /// What is meant by an address to which the workload's connections, led here, were going.
    pub addresses: HashMap<SocketAddr, Meaning>,
    /// What becomes of those to an address that means nothing.
    pub unknown_destinations: UnknownDestinations,
    /// Live members of its own services, where their limits are divided.
    pub members: HashMap<ServiceName, u32>,
    /// The workload's own service as metrics of its calls name it, where its settings do not know.
    pub peer: Option<ServiceName>,
}

/// A port of the application whose connections are led here.
#[derive(Clone, Debug)]
pub struct Application {
    /// What is spoken there.
    pub protocol: Protocol,
    /// What is enforced.
    pub inbound: Arc<Inbound>,
}

/// What is spoken on a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP, whatever its version.
    #[default]
    Http,
    /// Something else.
    Opaque,
    /// Whatever the first bytes say.
    Any,
}

/// What an address means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The service.
    pub service: ServiceName,
    /// Its port, as callers number it.
    pub port: u16,
    /// Whether it is one endpoint's own, so that no other will do.
    pub is_endpoint: bool,
}

/// What becomes of connections to an address that means nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownDestinations {
    /// They are refused, as while nobody has said anything.
    #[default]
    Refuse,
    /// They get through, as if nobody had led them here.
    PassThrough,
}

/// What the access log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// Which requests are written.
    pub mode: AccessLogMode,
    /// Share of the requests that did not fail which is written, in mode `ErrorsAndSampled`.
    pub sample: Percent,
}

/// Which requests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogMode {
    /// Failed requests always, the rest sampled.
    ErrorsAndSampled,
    /// Every request.
    All,
    /// None.
    None,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            mode: AccessLogMode::ErrorsAndSampled,
            sample: Percent::new(1),
        }
    }
}

/// The figures of one block and the policy they are attributed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<T> {
    /// The figures.
    pub params: T,
    /// The policy; `None` when nobody wrote one.
    pub policy: Option<Arc<PolicyRef>>,
}

/// What this sidecar enforces for one of its own services.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// The service.
    pub service: ServiceName,
    /// Limits; all that match must admit.
    pub limits: Vec<LimitRules>,
    /// What stands in front of its application; `None`: nothing.
    pub backpressure: Option<Backpressure>,
    /// What would stand there if the policies in shadow acted too; it only reports.
    pub shadow: Option<Backpressure>,
    /// Routes that lead to it, where something is said of them here.
    pub routes: Vec<InboundRoutes>,
    /// What stands in front of its application for the requests of routes and rules; routes come first.
    pub scoped: Vec<ScopedBackpressure>,
}

impl Inbound {
    /// Whether some of its limits are divided among the members of the service.
    #[must_use]
    pub fn is_divided(&self) -> bool {
        let mut rules = self.limits.iter();
        rules.any(|rules| {
            let mut limits = rules.limits.iter().chain(&rules.connections);
            limits.any(|limit| limit.is_divided)
        })
    }
}

/// Time to connect to the application: it is on this host, and listens or does not.
pub(crate) const APPLICATION_CONNECT: Duration = Duration::from_secs(1);
