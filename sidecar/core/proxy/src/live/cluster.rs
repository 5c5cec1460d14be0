//! A service as one configuration has it, with its machines.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use policy::budget::Budget;
use policy::latency::RecentLatency;
use policy::moment::Moment;
use policy::rate_limit::Limiter;

use crate::config;
use crate::entrances::Entrances;
use crate::front::Approach;
use crate::gate::Gate;
use crate::report::{Direction, Event};
use crate::rules::Rules;
use crate::stages::admission::Restraint;
use crate::stages::breaker::Guard;
use crate::stages::endpoint::EndpointSet;
use crate::stages::fault::Faults;
use crate::stages::rate_limit::{Limits, Rule};
use crate::stages::retry::share_of;
use crate::stages::shadow::Foretold;
use crate::tally::Tally;
use crate::worker::Worker;

/// A service and its machines. Inbound, the application is the only endpoint.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) direction: Direction,
    pub(crate) config: Arc<config::Cluster>,
    pub(crate) timeouts: config::Timeouts,
    pub(crate) tally: Rc<Tally>,
    pub(crate) limits: Limits,
    /// Rehearsals of what its callers would meet; outbound only.
    pub(crate) faults: Faults,
    /// Limits of the connections that are accepted for it; inbound only.
    pub(crate) doors: Limits,
    /// Limits of the bytes in bodies of requests, and of answers.
    pub(crate) uploads: Limits,
    pub(crate) downloads: Limits,
    /// What stands in front of the application; inbound only.
    pub(crate) front: Option<Approach>,
    /// What would stand there if the policies in shadow acted too.
    pub(crate) shadow: Option<Approach>,
    /// The same service if policies in shadow acted too, with machines of its own.
    pub(crate) foreseen: Option<Rc<Cluster>>,
    /// What that told.
    pub(crate) foretold: Rc<Foretold>,
    /// Whether it is such a one.
    pub(crate) is_shadow: bool,
    pub(crate) admission: Rc<RefCell<Restraint>>,
    pub(crate) bulkhead: Option<Rc<Gate>>,
    pub(crate) connections: Option<Rc<Gate>>,
    pub(crate) budget: Option<Rc<RefCell<Budget>>>,
    pub(crate) breaker: Option<Rc<RefCell<Guard>>>,
    /// How long attempts took lately; kept only for retries and hedges.
    pub(crate) recent: Option<Rc<RefCell<RecentLatency>>>,
    pub(crate) ports: Vec<Rc<EndpointSet>>,
    /// The rules by which calls of it go elsewhere.
    pub(crate) rules: Rules,
    /// Whether something is said at the caller of requests that follow one of them, wherever that leads.
    pub(crate) is_scoped: bool,
    /// The routes by which its requests come in, where something is said of them; inbound only.
    pub(crate) entrances: Option<Rc<Entrances>>,
}

impl Cluster {
    /// Every limit of every kind, with its limiter.
    pub(crate) fn visit_limits(&self, mut each: impl FnMut(&Rule, &mut Limiter)) {
        for limits in [&self.limits, &self.doors, &self.uploads, &self.downloads] {
            limits.visit(&mut each);
        }
    }

    /// The endpoints of the port of this number.
    pub(crate) fn port(&self, number: u16) -> Option<&Rc<EndpointSet>> {
        self.ports.iter().find(|set| set.port() == number)
    }

    /// Tells people what happened, unless in shadow.
    pub(crate) fn tell(&self, worker: &Worker, event: impl FnOnce() -> Event) {
        if !self.is_shadow {
            worker.journal.tell(event());
        }
    }

    /// Whether other clusters have the same bulkhead.
    pub(super) fn has_shared_bulkhead(&self) -> bool {
        self.config
            .bulkhead
            .as_ref()
            .is_some_and(|block| block.params.shared.is_some())
    }

    /// Takes another share of the retry budget's floor, and of divided limits.
    pub(crate) fn set_live_callers(&self, live_callers: u32, at: Moment) {
        self.limits.divide(live_callers, at);
        if let (Some(params), Some(budget)) = (self.config.budget(), &self.budget) {
            budget
                .borrow_mut()
                .reconfigure(share_of(params, Some(live_callers)));
        }
        if let Some(shadow) = &self.foreseen {
            shadow.set_live_callers(live_callers, at);
        }
    }
}

#[cfg(test)]
mod tests;
