//! What would happen to a request.

use std::sync::Arc;

use policy::Reason;

use super::direction::Direction;
use crate::name::{PolicyRef, ServiceName};

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
