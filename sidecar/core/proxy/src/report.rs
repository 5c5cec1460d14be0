//! What a worker tells about itself: plain values, copied out between requests.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use policy::breaker::{Counts, State};
use policy::grpc::Code;
use policy::health_check::{Verdict, Votes};
use policy::outlier::Cause;
use policy::{Percent, Reason, rate_limit};

use crate::config::RouteMirror;
use crate::name::{PolicyRef, ServiceName};

/// Which way a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Towards our workload.
    Inbound,
    /// Away from it.
    Outbound,
}

impl Direction {
    /// The word in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// One family of measurements, cumulative since the worker began.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Name with unit, such as `breakwater_requests_total`.
    pub name: &'static str,
    /// What its values are.
    pub kind: MetricKind,
    /// Names of the labels, in the order of the values below.
    pub labels: &'static [&'static str],
    /// Upper bounds of a histogram's buckets, seconds, ascending; the last bucket has none.
    pub bounds: &'static [f64],
    /// The measurements.
    pub points: Vec<Point>,
}

/// What the values of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Moves either way.
    Gauge,
    /// Counts per bucket, each only growing.
    Histogram,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Values of the labels.
    pub labels: Vec<Cow<'static, str>>,
    /// Value of a counter or gauge; sum in seconds of a histogram.
    pub value: f64,
    /// Counts per bucket, not cumulative over buckets; histograms only.
    pub buckets: Vec<u64>,
}

/// Everything measured, and who was called.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Families, sorted by name.
    pub families: Vec<Family>,
    /// Services called in the last minute.
    pub called: Vec<ServiceName>,
    /// Requests in flight.
    pub in_flight: u32,
}

/// One breaker now.
#[derive(Clone, Debug)]
pub struct BreakerStatus {
    /// Service that is called.
    pub service: ServiceName,
    /// Instance that it guards; `None` for the breaker of the service.
    pub endpoint: Option<Arc<str>>,
    /// `namespace/route` that has it for itself, or `namespace/route/rule`; `None`: every call meets it.
    pub route: Option<Arc<str>>,
    /// Its state.
    pub state: State,
    /// What is counted.
    pub counts: Counts,
    /// Time until probes, or until an operator's order ends.
    pub remaining: Option<Duration>,
    /// Instant of the last transition.
    pub changed_at: Option<SystemTime>,
    /// Policy it comes from.
    pub policy: Option<Arc<PolicyRef>>,
}

/// One limit now.
#[derive(Clone, Debug)]
pub struct LimitStatus {
    /// Service whose requests it counts.
    pub service: ServiceName,
    /// Which side enforces it here.
    pub direction: Direction,
    /// Policy it comes from.
    pub policy: Arc<PolicyRef>,
    /// Name within the policy.
    pub limit: Box<str>,
    /// The route, or the rule of one, whose requests it counts; `None`: every request of the service.
    pub route: Option<Box<str>>,
    /// Its rate; none of a limit of what is in flight.
    pub rate: Option<rate_limit::Rate>,
    /// Most cost units a subject may have left.
    pub capacity: u64,
    /// Fewest cost units left over all subjects.
    pub remaining: u64,
    /// Subjects remembered.
    pub keys: u32,
    /// Requests admitted.
    pub allowed: u64,
    /// Requests refused.
    pub limited: u64,
    /// Exempt requests.
    pub exempt: u64,
    /// Requests that it would have refused, were it not in shadow.
    pub shadow: u64,
}

/// One endpoint as the balancer sees it.
#[derive(Clone, Debug)]
pub struct EndpointStatus {
    /// Service it belongs to.
    pub service: ServiceName,
    /// Instance behind it.
    pub instance: Arc<str>,
    /// Address and port called.
    pub address: SocketAddr,
    /// Whether it may be picked.
    pub ready: bool,
    /// Requests in flight.
    pub in_flight: u32,
    /// Peak-EWMA latency.
    pub latency: Duration,
    /// Idle pooled connections.
    pub idle_connections: u32,
    /// Its share of the calls beside the others', in the smallest numbers that say the same.
    pub weight: u32,
    /// The instance group that it belongs to.
    pub group: Option<Box<str>>,
    /// Why it is set aside as an outlier.
    pub outlier: Option<Cause>,
    /// Time until an outlier returns.
    pub returns_in: Option<Duration>,
    /// Part of a fair share of the calls that it may have.
    pub share: Percent,
    /// What its probers say; `None` without a health check.
    pub health: Option<EndpointHealth>,
    /// The state of its breaker, and the time until that ends by itself.
    pub breaker: Option<(State, Option<Duration>)>,
}

/// One rule of a route in force.
#[derive(Clone, Debug)]
pub struct RouteStatus {
    /// Whether calls go by it, or requests to our own services come in by it.
    pub direction: Direction,
    /// The service that is called.
    pub service: ServiceName,
    /// The route.
    pub route: Arc<PolicyRef>,
    /// Name of the rule, or its place in the route.
    pub rule: Box<str>,
    /// Ports of the service whose calls it is for; none: every port.
    pub ports: Vec<u16>,
    /// Requests that it is for, in words, any of; none: every request.
    pub matches: Vec<String>,
    /// Where they go, in turns by weight.
    pub backends: Vec<BackendStatus>,
    /// Where copies of them go.
    pub mirrors: Vec<RouteMirror>,
}

/// One place where the requests of a rule go.
#[derive(Clone, Debug)]
pub struct BackendStatus {
    /// The service; `None` for a reference that leads nowhere.
    pub service: Option<ServiceName>,
    /// Its port; `None`: the one that was called.
    pub port: Option<u16>,
    /// Its share of the requests, over the sum of all.
    pub weight: u32,
    /// Whether the service is known here; others are asked for when they are called.
    pub is_held: bool,
    /// The policies that the requests meet there.
    pub policies: Vec<BlockPolicy>,
}

/// A policy in force.
#[derive(Clone, Debug)]
pub struct BlockPolicy {
    /// What it says, such as `retry`.
    pub block: &'static str,
    /// The policy.
    pub policy: Arc<PolicyRef>,
    /// Whether it only reports.
    pub is_shadow: bool,
}

impl RouteStatus {
    /// Whether both are of one rule, by which requests go the same way.
    pub(crate) fn is_same_rule(&self, other: &Self) -> bool {
        let is_same = (self.direction, &self.service, &self.rule)
            == (other.direction, &other.service, &other.rule);
        is_same && self.route.is_same_object(&other.route)
    }
}

/// What the probers of an endpoint say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointHealth {
    /// All of them together.
    pub verdict: Verdict,
    /// Whether this sidecar is one of them.
    pub is_probed_here: bool,
    /// The others, where any of them found it unhealthy.
    pub others: Votes,
}

/// How the endpoints of a service are that this sidecar probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnHealth {
    /// The service.
    pub service: ServiceName,
    /// Names the set of checkers that it knows; zero: none.
    pub version: u64,
    /// What it found.
    pub verdicts: Vec<EndpointVerdict>,
    /// What it holds unhealthy by the word of others.
    pub doubted: Vec<DoubtedEndpoint>,
}

/// An endpoint that is held unhealthy, though no probe of this sidecar says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubtedEndpoint {
    /// Instance behind it.
    pub instance: Arc<str>,
    /// Port of the service.
    pub port: u16,
}

/// What the probes of one endpoint say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointVerdict {
    /// Instance behind it.
    pub instance: Arc<str>,
    /// Port of the service.
    pub port: u16,
    /// Whether it answers as expected.
    pub is_healthy: bool,
}

/// What other sidecars found of a service's endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OthersHealth {
    /// The service.
    pub service: ServiceName,
    /// Names the set of checkers.
    pub version: u64,
    /// All sidecars that check it; empty: those that are known under this version.
    pub checkers: Vec<u64>,
    /// What they found of endpoints that any of them found unhealthy, or that are held so here; others are well.
    pub votes: Vec<EndpointVotes>,
}

/// What other sidecars found of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointVotes {
    /// Instance behind it.
    pub instance: Arc<str>,
    /// Port of the service.
    pub port: u16,
    /// How many found it so.
    pub votes: Votes,
}

/// One refusal; no path, header or address of the request is kept.
#[derive(Clone, Debug)]
pub struct Decision {
    /// When.
    pub at: SystemTime,
    /// Which way the request went.
    pub direction: Direction,
    /// Service concerned; `None` when the request named none.
    pub service: Option<ServiceName>,
    /// Why.
    pub reason: Reason,
    /// The policy; `None` when none is at fault.
    pub policy: Option<Arc<PolicyRef>>,
    /// Name of the limit that refused.
    pub limit: Option<Box<str>>,
    /// Status that was answered.
    pub status: u16,
}

/// A span of a trace that is recorded, as it ended; whoever sends it on formats it.
#[derive(Clone, Debug)]
pub struct Span {
    /// The trace.
    pub trace: u128,
    /// Its own id.
    pub id: u64,
    /// The span that it is a part of; `None` where the trace begins here.
    pub parent: Option<u64>,
    /// What it is of.
    pub kind: SpanKind,
    /// When it began, nanoseconds since 1970.
    pub began_unix_ns: u64,
    /// When it ended.
    pub ended_unix_ns: u64,
    /// Whose it is: the service that served or called.
    pub workload: Option<ServiceName>,
    /// The service that was called; `None` when the request named none.
    pub service: Option<ServiceName>,
    /// The rule that led there, `route/rule`.
    pub route: Option<Box<str>>,
    /// Method of the request.
    pub method: &'static str,
    /// Protocol as the log names it, such as `HTTP/1.1`.
    pub protocol: &'static str,
    /// Of a gRPC call, the method that it names, `package.Service/Method`.
    pub rpc: Option<Box<str>>,
    /// Status of the answer; 0 without one.
    pub status: u16,
    /// Its gRPC status.
    pub code: Option<Code>,
    /// What an attempt came to that was not answered.
    pub failure: Option<&'static str>,
    /// Why it was refused or failed.
    pub reason: Option<Reason>,
    /// The policy behind that.
    pub policy: Option<Arc<PolicyRef>>,
    /// Attempts before this one.
    pub resends: u32,
    /// Where an attempt went.
    pub endpoint: Option<SocketAddr>,
}

/// What a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// A request that our workload served.
    Server,
    /// One attempt of a call.
    Client,
    /// A call that came to no attempt.
    Internal,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: SystemTime,
    /// Service concerned.
    pub service: ServiceName,
    /// Instance concerned; `None` for the service.
    pub endpoint: Option<Arc<str>>,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// A breaker went from one state to another.
    Breaker {
        /// State before.
        from: State,
        /// State after.
        to: State,
        /// Why, such as `consecutive_failures`.
        reason: &'static str,
        /// What had been counted.
        counts: Counts,
        /// The route that has the breaker for itself.
        route: Option<Arc<str>>,
    },
    /// An endpoint was set aside as an outlier, or may be called again.
    Outlier {
        /// Why it was set aside; `None` when it returns.
        cause: Option<Cause>,
    },
    /// Probes found an endpoint unhealthy, or healthy again.
    Health {
        /// Which of the two.
        is_healthy: bool,
    },
    /// No endpoint of an instance group may be picked, or some may again.
    Group {
        /// Its name.
        name: Box<str>,
        /// Which of the two.
        is_empty: bool,
    },
    /// Too few endpoints are fit, so nobody is set aside; or no longer.
    Panic {
        /// Whether it began.
        began: bool,
    },
    /// An operator forced a breaker, or gave it back.
    Override {
        /// The state ordered.
        to: State,
        /// The route that has the breaker for itself.
        route: Option<Arc<str>>,
    },
}

/// A request to explain.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which half is asked.
    pub direction: Direction,
    /// Service that is called.
    pub service: ServiceName,
    /// Method.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// Headers, lower-case name to value.
    pub headers: Vec<(String, String)>,
}

/// What would happen to a request, from live state; nothing is sent or charged.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// Stages in the order the request meets them, up to the one that refuses.
    pub steps: Vec<Step>,
    /// Reason and status of the refusal; `None` when it would be forwarded.
    pub refusal: Option<(Reason, u16)>,
}

/// One stage's part.
#[derive(Clone, Debug)]
pub struct Step {
    /// The stage: route, rule, deadline, limits, bulkhead, budget, hedge, breaker, endpoint, connections,
    /// timeout.
    pub stage: &'static str,
    /// What it would do, in words, with live figures.
    pub text: String,
    /// Whether it refuses.
    pub refuses: bool,
    /// The policy behind it.
    pub policy: Option<Arc<PolicyRef>>,
}
