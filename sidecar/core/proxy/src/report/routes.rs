//! The rules of routes in force.

use std::sync::Arc;

use super::direction::Direction;
use crate::config::RouteMirror;
use crate::name::{PolicyRef, ServiceName};

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
