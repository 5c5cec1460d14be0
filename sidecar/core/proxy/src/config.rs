//! What a worker enforces: plain immutable values, built off the request path and swapped in whole.
//!
//! Whoever builds a [`Config`] keeps the `Arc` of every cluster and inbound that did not change: the worker takes
//! the same `Arc` as proof that there is nothing to do. Machine state (breakers, buckets, budgets, pools) lives in the
//! worker, survives edits of its figures, and goes with its block, its endpoint or its cluster.

mod backpressure;
mod fallback;
mod fault;
mod routes;
mod scope;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use policy::balancer::Algorithm;
use policy::condition::Conditions;
use policy::instance_groups::Overflow;
use policy::rate_limit::strain::{Resource, Thresholds};
use policy::{
    Criticality, Percent, Reason, admission, breaker, budget, bulkhead, health_check, hedge,
    outlier, rate_limit, readiness, retry,
};

pub use crate::name::{PolicyRef, ServiceName};
pub use backpressure::{Backpressure, Class};
pub use fallback::{Fallback, Instead};
pub use fault::Fault;
pub use routes::{HeaderEdits, InboundRoutes, RouteBackend, RouteMirror, RouteRule, RouteSettings};
pub(crate) use scope::Way;
pub use scope::{Reach, Scope};

/// Everything that a worker enforces.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The access log.
    pub access_log: AccessLog,
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

/// A service as this sidecar's workload calls it. A block that is `None` means no such behaviour.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The service.
    pub service: ServiceName,
    /// Its ports.
    pub ports: Vec<Port>,
    /// Methods that its contract declares idempotent: HTTP methods, or full gRPC method names.
    pub idempotent_methods: Vec<Box<str>>,
    /// Bounds on waiting.
    pub timeouts: Option<Block<Timeouts>>,
    /// Retries.
    pub retry: Option<Block<Retry>>,
    /// Second attempts beside slow ones.
    pub hedge: Option<Block<Hedge>>,
    /// The breaker of the service.
    pub service_breaker: Option<Block<Breaker>>,
    /// The breaker of each endpoint.
    pub endpoint_breaker: Option<Block<Breaker>>,
    /// Which endpoints are set aside.
    pub outliers: Option<Block<Outliers>>,
    /// How endpoints are chosen.
    pub balancing: Option<Block<Balancing>>,
    /// Which calls are kept back while many fail.
    pub admission: Option<Block<admission::Params>>,
    /// Endpoints that a kind of requests has for itself.
    pub groups: Option<Block<Groups>>,
    /// What endpoints are asked how they are.
    pub health_check: Option<Block<HealthCheck>>,
    /// Cap on requests in flight.
    pub bulkhead: Option<Block<Bulkhead>>,
    /// Cap on connections.
    pub pool: Option<Block<Pool>>,
    /// What answers instead of a failure.
    pub fallback: Option<Block<Fallback>>,
    /// The same service if policies in shadow acted too, without ports where these choose endpoints by the same rules;
    /// it only reports.
    pub shadow: Option<Arc<Cluster>>,
    /// Limits that callers enforce; all that match must admit.
    pub limits: Vec<LimitRules>,
    /// Rehearsals, each of which acts by itself.
    pub faults: Vec<Arc<Fault>>,
    /// Rules by which calls of it go elsewhere; sorted by route, those of one in their order.
    pub routes: Vec<RouteRule>,
    /// Endpoints that may be called.
    pub endpoints: Vec<Endpoint>,
}

/// A port that callers use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Name within the service.
    pub name: Box<str>,
    /// Number.
    pub number: u16,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// One address of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Instance behind it, unique in the mesh.
    pub instance: Arc<str>,
    /// Where each of the cluster's ports is reached, in their order; `None` for a port it does not serve.
    pub addresses: Vec<Option<SocketAddr>>,
    /// Whether a sidecar of this mesh answers there, whose refusals are told from the application's answers.
    pub has_sidecar: bool,
    /// Whether it is in this sidecar's own zone.
    pub is_near: bool,
    /// How many endpoints' share of the calls is its own; at least 1.
    pub weight: u32,
    /// The instance group that it belongs to, by its place.
    pub group: Option<usize>,
}

/// Bounds on waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Time to establish one connection.
    pub connect: Duration,
    /// Time for the whole exchange.
    pub request: Option<Duration>,
    /// Time for one attempt until its response headers.
    pub per_try: Option<Duration>,
    /// Time a pooled connection may rest.
    pub idle: Duration,
    /// Time a streaming exchange may rest without a byte.
    pub stream_idle: Option<Duration>,
    /// Length of a streaming exchange.
    pub max_stream: Option<Duration>,
}

impl Default for Timeouts {
    /// What holds where no policy says more: nothing is bounded but what would otherwise never end.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: None,
            per_try: None,
            idle: Duration::from_secs(300),
            stream_idle: None,
            max_stream: None,
        }
    }
}

/// Retries and the budget that caps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries, delays and conditions.
    pub params: retry::Params,
    /// The budget; its floor is the whole fleet's.
    pub budget: budget::Params,
}

/// A second attempt beside one that is slow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hedge {
    /// When it begins.
    pub after: hedge::After,
    /// The budget, which is that of the retries where there are any; its floor is the whole fleet's.
    pub budget: budget::Params,
}

/// One breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Its figures.
    pub params: breaker::Params,
    /// What counts as a failure; `policy::ending::default_failures` where the policy does not say.
    pub failures: Conditions,
    /// Whether each route that leads to the service has one of its own.
    pub is_per_route: bool,
}

/// Outlier detection.
#[derive(Clone, Debug, PartialEq)]
pub struct Outliers {
    /// Its detectors.
    pub params: outlier::Params,
    /// How many endpoints may be set aside, by it and by their breakers together.
    pub readiness: readiness::Params,
    /// What counts as a failure: what breakers count.
    pub failures: Conditions,
}

/// How endpoints are chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancing {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// What a hashed one chooses by.
    pub hash_on: Option<HashOn>,
    /// Time in which an endpoint that joins others grows to its whole share.
    pub slow_start: Duration,
    /// Whether endpoints of the own zone go first.
    pub prefers_near: bool,
}

/// What a request is hashed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashOn {
    /// Value of this request header, in lower case.
    Header(Box<str>),
    /// Value of this cookie.
    Cookie(Box<str>),
    /// Address of the peer; IPv6 by /64.
    SourceIp,
}

/// Endpoints that a kind of requests has for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// The groups, in the order in which they spill.
    pub groups: Vec<Group>,
    /// Which of them a request belongs to, the first that matches.
    pub assign: Vec<Assignment>,
    /// When one of them uses the endpoints of later ones.
    pub overflow: Overflow,
}

/// One instance group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: Box<str>,
    /// Labels that its endpoints have.
    pub labels: Vec<(Box<str>, Box<str>)>,
}

/// Requests of one instance group; all members that are set must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The place of the group.
    pub group: usize,
    /// What they look like; empty: anything.
    pub matches: Vec<RequestMatch>,
    /// How much they matter.
    pub criticality: Option<Criticality>,
}

/// What endpoints are asked how they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// When they are asked, and what their answers mean.
    pub params: health_check::Params,
    /// Time for one answer.
    pub timeout: Duration,
    /// How many sidecars probe each endpoint.
    pub probers: u32,
    /// The question.
    pub probe: Probe,
}

/// What an endpoint is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// An HTTP/1.1 request.
    Http {
        /// Its path.
        path: Box<str>,
        /// Statuses that pass: three digits, or a class such as 2xx.
        expect: Vec<Box<str>>,
    },
    /// A call of `grpc.health.v1.Health/Check`.
    Grpc {
        /// The service asked about; empty: the server.
        service: Box<str>,
    },
    /// A connection.
    Tcp,
}

/// Cap on requests in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulkhead {
    /// Its figures.
    pub params: bulkhead::Params,
    /// Bulkheads of one such name share permits and queue: `namespace/sharedName`.
    pub shared: Option<Arc<str>>,
}

/// Cap on connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Connections open at once.
    pub max_connections: u32,
    /// Requests before a connection is closed.
    pub max_requests: Option<u32>,
    /// Age at which a connection is closed.
    pub max_age: Option<Duration>,
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
}

impl Cluster {
    /// Whether endpoints are chosen by the same rules.
    #[must_use]
    pub fn chooses_as(&self, other: &Self) -> bool {
        self.endpoint_breaker == other.endpoint_breaker
            && self.outliers == other.outliers
            && self.balancing == other.balancing
            && self.groups == other.groups
            && self.health_check == other.health_check
    }

    /// The one budget that retries and hedges share.
    #[must_use]
    pub fn budget(&self) -> Option<&budget::Params> {
        let retry = self.retry.as_ref().map(|block| &block.params.budget);
        retry.or_else(|| self.hedge.as_ref().map(|block| &block.params.budget))
    }

    /// Whether something is said of requests of some route alone.
    pub(crate) fn is_scoped(&self) -> bool {
        let mut limits = self.limits.iter().map(|rules| &rules.reach);
        let mut faults = self.faults.iter().map(|fault| &fault.reach);
        let is_scoped = |reach: &Reach| reach.only.is_some();
        limits.any(is_scoped) || faults.any(is_scoped)
    }
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

/// The limits of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRules {
    /// The policy.
    pub policy: Arc<PolicyRef>,
    /// The limits of requests.
    pub limits: Vec<Limit>,
    /// The limits of connections, asked when one is accepted.
    pub connections: Vec<Limit>,
    /// The limits of the bytes in bodies of requests.
    pub uploads: Vec<Limit>,
    /// The limits of the bytes in bodies of answers.
    pub downloads: Vec<Limit>,
    /// The limits of what the whole cgroup uses.
    pub resources: Vec<ResourceLimit>,
    /// Requests that are charged and never refused, any of.
    pub exempt: Arc<[Exemption]>,
    /// How refusals look.
    pub response: LimitResponse,
    /// Whether they only report what they would refuse.
    pub is_shadow: bool,
    /// The requests that they are for.
    pub reach: Reach,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Name within the policy.
    pub name: Box<str>,
    /// Whom it counts apart; empty: one shared count.
    pub by: Vec<Subject>,
    /// What happens when a part of the subject is missing.
    pub on_missing: OnMissing,
    /// Requests it applies to, any of; empty: every request.
    pub matches: Vec<RequestMatch>,
    /// What one request costs.
    pub cost: Cost,
    /// Its figures.
    pub params: rate_limit::Params,
    /// What its refusals are called.
    pub reason: Reason,
    /// Moves its figure within bounds.
    pub adaptive: Option<Adaptive>,
    /// Whether its figures are the whole fleet's, of which each member has an equal share.
    pub is_divided: bool,
}

impl Limit {
    /// Whether something is still to be done once a request was admitted: a place given back, a cost charged.
    pub(crate) const fn is_held(&self) -> bool {
        matches!(self.params.algorithm, rate_limit::Algorithm::Concurrency(_))
            || matches!(self.cost, Cost::ResponseHeader { .. })
    }
}

/// How the figure of a limit moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adaptive {
    /// Its bounds, and the target.
    pub params: rate_limit::adaptive::Params,
    /// What is to keep to the target.
    pub follows: Follows,
}

/// What a limit that moves follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// The time that 99 of 100 attempts take at most.
    P99,
    /// Processor time that the cgroup uses.
    Cpu,
    /// Places taken in the queue that requests have to pass.
    Queue,
}

/// One limit of what the whole cgroup uses: while that is too much, requests are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceLimit {
    /// Name within the policy.
    pub name: Box<str>,
    /// Requests it applies to, any of; empty: every request.
    pub matches: Vec<RequestMatch>,
    /// When it is too much, of each resource that is watched.
    pub thresholds: Vec<(Resource, Thresholds)>,
}

/// One part of the subject of a limit. Names of headers are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Value of this request header.
    Header(Box<str>),
    /// Value of this cookie.
    Cookie(Box<str>),
    /// Value of this query parameter.
    Query(Box<str>),
    /// Address of the client; IPv6 by /64.
    SourceIp {
        /// Trusted proxies between the client and us; zero: it is the peer.
        hops: u8,
    },
    /// The connection that a request came over.
    Connection,
    /// Verified identity of the caller.
    Principal,
    /// Canonical path.
    Path,
    /// Method.
    Method,
}

/// What happens when a part of the subject is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissing {
    /// All such requests share one count.
    ShareOne,
    /// The limit does not apply.
    Skip,
    /// The request is refused.
    Refuse,
}

/// What a request looks like; all members that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestMatch {
    /// Methods, any of; empty: any.
    pub methods: Vec<Box<str>>,
    /// Canonical path.
    pub path: Option<PathMatch>,
    /// Headers, all of.
    pub headers: Vec<HeaderMatch>,
}

/// A path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// The whole path.
    Exact(Box<str>),
    /// Leading whole segments.
    Prefix(Box<str>),
}

/// A header; of several values each is judged by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderMatch {
    /// The header has this exact value.
    Value {
        /// Name, in lower case.
        name: Box<str>,
        /// The value.
        value: Box<str>,
    },
    /// The header is there, or is not.
    Presence {
        /// Name, in lower case.
        name: Box<str>,
        /// Whether it must be there.
        present: bool,
    },
}

/// What one request costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    /// The same for each.
    Fixed(u64),
    /// Read from a request header.
    Header {
        /// Name, in lower case.
        name: Box<str>,
        /// Cost when the header is missing or no number.
        default: u64,
    },
    /// Read from a header of the answer, and charged then.
    ResponseHeader {
        /// Name, in lower case.
        name: Box<str>,
        /// Cost when the header is missing or no number.
        default: u64,
    },
}

/// Requests that are charged and never refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exemption {
    /// A verified caller; without verified identities nobody is one.
    Principal,
    /// A canonical path.
    Path(PathMatch),
    /// A block of addresses of the client.
    SourceIp {
        /// First address of the block.
        network: IpAddr,
        /// Leading bits that are fixed.
        prefix: u8,
        /// Trusted proxies between the client and us; zero: it is the peer.
        hops: u8,
    },
}

/// How refusals by limits look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitResponse {
    /// Status.
    pub status: u16,
    /// Which quota headers are sent, on admitted requests too.
    pub headers: LimitHeaders,
    /// Whether the body is problem+json.
    pub problem: bool,
}

/// Which quota headers are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitHeaders {
    /// `RateLimit` and `RateLimit-Policy`.
    Standard,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
    Legacy,
    /// Both forms.
    Both,
    /// None.
    None,
}

/// Time to connect to the application: it is on this host, and listens or does not.
pub(crate) const APPLICATION_CONNECT: Duration = Duration::from_secs(1);
