//! What breakers, limits and endpoints are at now.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use policy::breaker::{Counts, State};
use policy::outlier::Cause;
use policy::{Percent, rate_limit};

use super::direction::Direction;
use super::health::EndpointHealth;
use crate::name::{PolicyRef, ServiceName};

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
