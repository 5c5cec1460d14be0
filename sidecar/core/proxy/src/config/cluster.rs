//! A service as the workload of this sidecar calls it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use policy::condition::Conditions;
use policy::{admission, breaker, budget, bulkhead, hedge, retry};

use super::{
    Balancing, Block, Fallback, Fault, Groups, HealthCheck, LimitRules, Outliers, PolicyRef,
    Protocol, Reach, RouteRule, ServiceName,
};

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
    /// Rehearsals, each of which acts by itself unless it says otherwise.
    pub faults: Vec<Arc<Fault>>,
    /// Rules by which calls of it go elsewhere; sorted by route, those of one in their order.
    pub routes: Vec<RouteRule>,
    /// Endpoints that may be called.
    pub endpoints: Vec<Endpoint>,
}

impl Cluster {
    /// A service of which no policy says anything, and that has no endpoints.
    #[must_use]
    pub const fn bare(service: ServiceName, ports: Vec<Port>) -> Self {
        Self {
            service,
            ports,
            idempotent_methods: Vec::new(),
            timeouts: None,
            retry: None,
            hedge: None,
            service_breaker: None,
            endpoint_breaker: None,
            outliers: None,
            balancing: None,
            admission: None,
            groups: None,
            health_check: None,
            bulkhead: None,
            pool: None,
            fallback: None,
            shadow: None,
            limits: Vec::new(),
            faults: Vec::new(),
            routes: Vec::new(),
            endpoints: Vec::new(),
        }
    }

    /// The policy behind each block that is there, by the name of the block.
    pub(crate) fn policies(&self) -> impl Iterator<Item = (&'static str, &Arc<PolicyRef>)> {
        fn of<T>(block: Option<&Block<T>>) -> Option<&Arc<PolicyRef>> {
            block?.policy.as_ref()
        }
        let blocks = [
            ("timeouts", of(self.timeouts.as_ref())),
            ("retry", of(self.retry.as_ref())),
            ("hedge", of(self.hedge.as_ref())),
            ("breaker.service", of(self.service_breaker.as_ref())),
            ("breaker.endpoint", of(self.endpoint_breaker.as_ref())),
            ("outlierDetection", of(self.outliers.as_ref())),
            ("loadBalancing", of(self.balancing.as_ref())),
            ("admissionControl", of(self.admission.as_ref())),
            ("instanceGroups", of(self.groups.as_ref())),
            ("healthCheck", of(self.health_check.as_ref())),
            ("bulkhead", of(self.bulkhead.as_ref())),
            ("connectionPool", of(self.pool.as_ref())),
            ("fallback", of(self.fallback.as_ref())),
        ];
        blocks
            .into_iter()
            .filter_map(|(name, policy)| Some((name, policy?)))
    }

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
    /// Methods that may be tried again beside those of `params`, which have a name there.
    pub other_methods: Vec<Box<str>>,
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
