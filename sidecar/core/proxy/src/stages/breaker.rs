//! Breaker: keeps calls away from what fails. One for the service, which refuses the request; one for each
//! endpoint, which takes that endpoint out of the set to pick from.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use policy::Outcome;
use policy::breaker::{Breaker, Params, Permit, State, Transition};

use super::Refusal;
use crate::config::{self, Block};
use crate::live::{Cluster, Live};
use crate::name::PolicyRef;
use crate::report::{BreakerStatus, Event, EventKind};
use crate::worker::Worker;

/// A breaker and what is told about it.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) machine: Breaker,
    /// Transitions into each state.
    entered: [u64; STATES.len()],
    changed_ns: Option<u64>,
    /// The route that has it for itself, or the rule of one.
    pub(crate) route: Option<Arc<str>>,
}

/// The states, in the order of the counters.
pub(crate) const STATES: [State; 6] = [
    State::Closed,
    State::Open,
    State::HalfOpen,
    State::ForcedOpen,
    State::ForcedClosed,
    State::Disabled,
];

impl Guard {
    pub(crate) fn new(params: &Params) -> Self {
        Self {
            machine: Breaker::new(params.clone()),
            entered: [0; STATES.len()],
            changed_ns: None,
            route: None,
        }
    }

    /// Ends what is over by now although nobody calls: a person's decision, and the wait for probes.
    pub(crate) fn check(
        &mut self,
        worker: &Worker,
        cluster: &Cluster,
        endpoint: Option<&Arc<str>>,
    ) {
        let (now_ns, draw) = (worker.clock.now_ns(), worker.chance.draw());
        self.machine.check(now_ns, draw);
        self.tell(worker, cluster, endpoint);
    }

    /// Tells what the last calls moved, in order, unless in shadow; whether anything moved.
    pub(crate) fn tell(
        &mut self,
        worker: &Worker,
        cluster: &Cluster,
        endpoint: Option<&Arc<str>>,
    ) -> bool {
        let mut has_moved = false;
        while let Some(transition) = self.machine.next_transition() {
            has_moved = true;
            self.note(&transition);
            cluster.tell(worker, || Event {
                at: worker.clock.wall(transition.at_ns),
                service: cluster.config.service.clone(),
                endpoint: endpoint.cloned(),
                kind: self.moved(&transition),
            });
        }
        has_moved
    }

    fn moved(&self, transition: &Transition) -> EventKind {
        EventKind::Breaker {
            from: transition.from,
            to: transition.to,
            reason: transition.cause.as_str(),
            counts: transition.counts,
            route: self.route.clone(),
        }
    }

    fn note(&mut self, transition: &Transition) {
        self.changed_ns = Some(transition.at_ns);
        if let Some(place) = STATES.iter().position(|state| *state == transition.to) {
            self.entered[place] += 1;
        }
    }

    /// The state, and the time until it ends by itself.
    pub(crate) fn standing(&self, now_ns: u64) -> (State, Option<Duration>) {
        let left = |until_ns: u64| Duration::from_nanos(until_ns.saturating_sub(now_ns));
        (self.machine.state(), self.machine.until_ns().map(left))
    }

    /// Transitions into each of [`STATES`].
    pub(crate) const fn entered(&self) -> &[u64; STATES.len()] {
        &self.entered
    }

    pub(crate) fn status(
        &mut self,
        worker: &Worker,
        cluster: &Cluster,
        endpoint: Option<&Arc<str>>,
    ) -> BreakerStatus {
        let now_ns = worker.clock.now_ns();
        let (state, remaining) = self.standing(now_ns);
        BreakerStatus {
            service: cluster.config.service.clone(),
            endpoint: endpoint.cloned(),
            route: self.route.clone(),
            state,
            counts: self.machine.counts(now_ns),
            remaining,
            changed_at: self.changed_ns.map(|at_ns| worker.clock.wall(at_ns)),
            policy: policy_of(cluster, endpoint.is_some()),
        }
    }
}

/// Ends what is over by now at the breakers of services and of routes.
pub(crate) fn check_all(worker: &Worker, live: &Live) {
    for cluster in live.clusters.values().chain(&live.ruled) {
        if let Some(guard) = &cluster.breaker {
            guard.borrow_mut().check(worker, cluster, None);
        }
    }
}

/// The policy behind a cluster's breaker.
pub(crate) fn policy_of(cluster: &Cluster, of_endpoint: bool) -> Option<Arc<PolicyRef>> {
    let block = block_of(&cluster.config, of_endpoint);
    block.as_ref().and_then(|block| block.policy.clone())
}

const fn block_of(config: &config::Cluster, of_endpoint: bool) -> &Option<Block<config::Breaker>> {
    if of_endpoint {
        &config.endpoint_breaker
    } else {
        &config.service_breaker
    }
}

/// How a call that ended so counts in one of the cluster's breakers.
pub(crate) fn outcome(
    config: &config::Cluster,
    of_endpoint: bool,
    ending: &policy::ending::Ending,
) -> Outcome {
    match block_of(config, of_endpoint) {
        Some(block) => ending.outcome(&block.params.failures),
        None => Outcome::Uncounted,
    }
}

/// The service breaker's permit for one attempt; dropping it gives it back uncounted.
#[derive(Debug)]
pub(crate) struct Call {
    breaker: Rc<RefCell<Guard>>,
    permit: Option<Permit>,
}

/// Asks the service breaker.
pub(crate) fn admit(
    worker: &Worker,
    cluster: &Cluster,
    now_ns: u64,
) -> Result<Option<Call>, Refusal> {
    let Some(breaker) = &cluster.breaker else {
        return Ok(None);
    };
    let mut guard = breaker.borrow_mut();
    let admitted = guard.machine.admit(now_ns, worker.chance.draw());
    guard.tell(worker, cluster, None);
    match admitted {
        Ok(permit) => Ok(Some(Call {
            breaker: Rc::clone(breaker),
            permit: Some(permit),
        })),
        Err(refused) => Err(Refusal::new(refused.reason())
            .by(policy_of(cluster, false))
            .after(retry_after_ns(refused))),
    }
}

const fn retry_after_ns(refused: policy::breaker::Refusal) -> Option<u64> {
    match refused {
        policy::breaker::Refusal::Open { retry_after_ns } => Some(retry_after_ns),
        _ => None,
    }
}

impl Call {
    /// Notes that the response headers are there.
    pub(crate) fn on_headers(&self, worker: &Worker, cluster: &Cluster, now_ns: u64) {
        let Some(permit) = &self.permit else { return };
        let mut guard = self.breaker.borrow_mut();
        guard
            .machine
            .on_headers(permit, now_ns, worker.chance.draw());
        guard.tell(worker, cluster, None);
    }

    /// Gives the permit back with what the call came to.
    pub(crate) fn settle(
        mut self,
        worker: &Worker,
        cluster: &Cluster,
        outcome: Outcome,
        latency_ns: u64,
        now_ns: u64,
    ) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let mut guard = self.breaker.borrow_mut();
        guard
            .machine
            .on_result(permit, outcome, latency_ns, now_ns, worker.chance.draw());
        guard.tell(worker, cluster, None);
    }
}

impl Call {
    /// Gives the permit back of a call that a peer refused for load.
    pub(crate) fn settle_overload(mut self, worker: &Worker, cluster: &Cluster, now_ns: u64) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let mut guard = self.breaker.borrow_mut();
        guard
            .machine
            .on_overload(permit, now_ns, worker.chance.draw());
        guard.tell(worker, cluster, None);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.breaker.borrow_mut().machine.release(permit);
        }
    }
}
