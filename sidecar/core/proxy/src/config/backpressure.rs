//! What stands in front of the application of one of our own services.

use std::sync::Arc;

use policy::Criticality;
use policy::backpressure::Params;

use super::{Inbound, PolicyRef, RequestMatch, Scope, Subject};

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

/// What stands in front of an application for the requests of one route, or of one rule of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopedBackpressure {
    /// The requests.
    pub scope: Scope,
    /// What stands there; `None`: the same as for the whole route, or else for the whole service.
    pub backpressure: Option<Backpressure>,
    /// What would stand there if the policies in shadow acted too; `None`: the same as there.
    pub shadow: Option<Backpressure>,
}

/// Which of two things that stand in front of an application is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// What acts.
    Acting,
    /// What only reports.
    InShadow,
}

impl Inbound {
    /// What stands in front of the application, and for which requests, the most of them first.
    pub(crate) fn standing(
        &self,
        which: Standing,
    ) -> impl Iterator<Item = (Option<&Scope>, &Backpressure)> {
        let pick = move |acting, shadow| match which {
            Standing::Acting => acting,
            Standing::InShadow => shadow,
        };
        let whole = pick(self.backpressure.as_ref(), self.shadow.as_ref());
        let scoped = self.scoped.iter().filter_map(move |scoped| {
            let rules = pick(scoped.backpressure.as_ref(), scoped.shadow.as_ref())?;
            Some((Some(&scoped.scope), rules))
        });
        whole.map(|rules| (None, rules)).into_iter().chain(scoped)
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
