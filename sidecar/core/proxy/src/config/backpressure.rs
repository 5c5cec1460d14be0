//! What stands in front of the application of one of our own services.

use std::sync::Arc;

use policy::Criticality;
use policy::backpressure::Params;

use super::{PolicyRef, RequestMatch, Subject};

/// What stands in front of an application.
#[derive(Clone, Debug, PartialEq)]
pub struct Backpressure {
    /// Figures of the queue and of what runs.
    pub params: Params,
    /// How much requests matter, the first that matches; without one they are `default`.
    pub classes: Vec<Class>,
    /// Who takes turns within a class; empty: nobody is told apart.
    pub fairness: Vec<Subject>,
    /// The policy that says how many run.
    pub concurrency_policy: Option<Arc<PolicyRef>>,
    /// The policy that says what waits.
    pub queue_policy: Option<Arc<PolicyRef>>,
}

impl Backpressure {
    /// The policy behind what waits, or else behind what runs.
    pub(crate) fn policy(&self) -> Option<Arc<PolicyRef>> {
        let queue = self.queue_policy.clone();
        queue.or_else(|| self.concurrency_policy.clone())
    }
}

/// Requests of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// How much they matter.
    pub criticality: Criticality,
    /// Requests that belong to it, any of.
    pub matches: Vec<RequestMatch>,
}
