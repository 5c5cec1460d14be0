//! What happened: refusals, and what moved.

use std::sync::Arc;
use std::time::SystemTime;

use policy::Reason;
use policy::breaker::{Counts, State};
use policy::outlier::Cause;

use super::direction::Direction;
use crate::name::{PolicyRef, ServiceName};

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
