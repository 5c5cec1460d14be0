//! Rules of routes: which requests to a service go where.

use std::sync::Arc;

use policy::route::Rule;

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
}

impl RouteRule {
    /// Whether it is for calls of that port.
    #[must_use]
    pub fn is_for(&self, port: u16) -> bool {
        self.ports.is_empty() || self.ports.contains(&port)
    }
}

/// Where a rule sends requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteBackend {
    /// The service; `None` for a reference that leads nowhere.
    pub service: Option<ServiceName>,
    /// Its port; `None`: the one that was called.
    pub port: Option<u16>,
    /// Its share of the requests, over the sum of all.
    pub weight: u32,
}
