//! Rules of routes: which requests to a service go where.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use policy::admission;
use policy::route::Rule;

use super::{Block, Breaker, Bulkhead, Cluster, Fallback, Hedge, Retry, Timeouts};
use crate::name::{PolicyRef, ServiceName};

/// One rule of a route of a service.
#[derive(Clone, Debug)]
pub struct RouteRule {
    /// The route.
    pub route: Arc<PolicyRef>,
    /// Name of the rule, or its place in the route.
    pub name: Box<str>,
    /// Ports of the service whose calls it is for; none: every port.
    pub ports: Vec<u16>,
    /// Which requests it is for.
    pub matches: Rule,
    /// Where they go, in turns by weight.
    pub backends: Vec<RouteBackend>,
    /// Changes to heads of requests that are sent on.
    pub request_headers: Option<Box<HeaderEdits>>,
    /// Changes to heads of answers that are passed on.
    pub response_headers: Option<Box<HeaderEdits>>,
    /// Where copies of its requests go.
    pub mirrors: Vec<RouteMirror>,
}

/// Where copies of a rule's requests go: of every `denominator` in a row, `numerator` of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMirror {
    /// The service.
    pub service: ServiceName,
    /// Its port.
    pub port: u16,
    /// How many are copied.
    pub numerator: u32,
    /// Of how many.
    pub denominator: u32,
}

/// Changes to a head: some fields are left out first, then some put in the place of others, then some added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Names that are left out.
    pub remove: Vec<HeaderName>,
    /// Fields in the place of all of their names.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Fields beside those that are there.
    pub add: Vec<(HeaderName, HeaderValue)>,
}

impl RouteRule {
    /// Whether it is for calls of that port.
    #[must_use]
    pub fn is_for(&self, port: u16) -> bool {
        self.ports.is_empty() || self.ports.contains(&port)
    }
}

/// The rules by which calls of one service go, for those who are called.
#[derive(Clone, Debug)]
pub struct InboundRoutes {
    /// The service.
    pub service: ServiceName,
    /// Its names in their canonical form.
    pub hosts: Vec<Box<str>>,
    /// Its ports as callers number them.
    pub ports: Vec<u16>,
    /// The rules, without backends; sorted by route, those of one in their order.
    pub rules: Vec<RouteRule>,
}

/// Where a rule sends requests.
#[derive(Clone, Debug)]
pub struct RouteBackend {
    /// The service; `None` for a reference that leads nowhere.
    pub service: Option<ServiceName>,
    /// Its port; `None`: the one that was called.
    pub port: Option<u16>,
    /// Its share of the requests, over the sum of all.
    pub weight: u32,
    /// How the rule's requests to it are treated; `None`: as the service itself says.
    pub settings: Option<Arc<RouteSettings>>,
}

/// How requests of a rule are treated, where that is not what the service says; its endpoints are those of all.
#[derive(Clone, Debug)]
pub struct RouteSettings {
    /// Bounds on waiting.
    pub timeouts: Option<Block<Timeouts>>,
    /// Retries.
    pub retry: Option<Block<Retry>>,
    /// Second requests beside slow ones.
    pub hedge: Option<Block<Hedge>>,
    /// The breaker of the service.
    pub service_breaker: Option<Block<Breaker>>,
    /// Which calls are kept back while many fail.
    pub admission: Option<Block<admission::Params>>,
    /// Cap on requests in flight.
    pub bulkhead: Option<Block<Bulkhead>>,
    /// What callers get instead of failures.
    pub fallback: Option<Block<Fallback>>,
    /// The same service if policies in shadow acted too, without ports; it only reports.
    pub shadow: Option<Arc<Cluster>>,
}

impl RouteBackend {
    /// Whether it has the same share of the same requests.
    pub(crate) fn has_turns_of(&self, other: &Self) -> bool {
        (&self.service, self.port, self.weight) == (&other.service, other.port, other.weight)
    }
}

impl RouteSettings {
    /// A service as requests of the rule meet it, but for its endpoints.
    pub(crate) fn over(&self, cluster: &Cluster) -> Cluster {
        let rule = self.clone();
        Cluster {
            timeouts: rule.timeouts,
            retry: rule.retry,
            hedge: rule.hedge,
            service_breaker: rule.service_breaker,
            admission: rule.admission,
            bulkhead: rule.bulkhead,
            fallback: rule.fallback,
            shadow: rule.shadow,
            routes: Vec::new(),
            endpoints: Vec::new(),
            ..cluster.clone()
        }
    }
}
