//! How much is taken of what limits follow: of the queue in front of the application, or of the lines at bulkheads where
//! calls wait after their limits.

use std::rc::Rc;

use policy::Percent;
use policy::backpressure::Backpressure;

use super::{Cluster, Live};
use crate::config::{RouteBackend, Scope};
use crate::front::Approach;
use crate::gate::Gate;
use crate::report::Direction;
use crate::rules::Rule;

impl Live {
    /// How much is taken of what a service's requests, or those of a scope, pass after their limits; none where nothing
    /// holds them up.
    pub(crate) fn queue_used(&self, cluster: &Cluster, scope: Option<&Scope>) -> Option<Percent> {
        let service = &cluster.config.service;
        match (cluster.direction, scope) {
            (Direction::Inbound, scope) => {
                let own = scope.and_then(|scope| self.fronts.under(service, scope));
                own.or(cluster.front.as_ref()).and_then(waiting_at)
            }
            (Direction::Outbound, None) => in_lines(cluster.bulkhead.as_slice()),
            (Direction::Outbound, Some(scope)) => in_lines(&self.lines_of(cluster, scope)),
        }
    }

    /// The lines of calls under a scope, each once: those of the services that they go to, or what rules have for
    /// themselves there.
    fn lines_of(&self, called: &Cluster, scope: &Scope) -> Vec<Rc<Gate>> {
        let mut lines: Vec<Rc<Gate>> = Vec::new();
        for rule in called
            .rules
            .iter()
            .filter(|rule| scope.covers(&rule.config))
        {
            for (place, backend) in rule.config.backends.iter().enumerate() {
                let line = self.line(rule, place, backend);
                let is_new = |line: &Rc<Gate>| !lines.iter().any(|known| Rc::ptr_eq(known, line));
                lines.extend(line.filter(is_new));
            }
        }
        lines
    }

    /// The line of a rule's calls to the backend at a place, if any go there.
    fn line(&self, rule: &Rule, place: usize, backend: &RouteBackend) -> Option<Rc<Gate>> {
        let service = backend.service.as_ref().filter(|_| backend.weight > 0)?;
        let ruled = rule.overlay(place);
        let cluster = ruled.as_ref().or_else(|| self.clusters.get(service))?;
        cluster.bulkhead.clone()
    }
}

fn waiting_at(approach: &Approach) -> Option<Percent> {
    let places = |front: &mut Backpressure| (front.depth() + front.held(), front.capacity());
    let (taken, all) = approach.front.look(places);
    Percent::of_part(taken, all)
}

/// How many places are taken of all that the lines have together.
fn in_lines(lines: &[Rc<Gate>]) -> Option<Percent> {
    let (mut taken, mut all) = (0_u32, 0_u32);
    for line in lines {
        let (waiting, places) = line.look(|gate| (gate.waiting(), gate.queue_capacity()));
        taken = taken.saturating_add(waiting);
        all = all.saturating_add(places);
    }
    Percent::of_part(taken, all)
}

#[cfg(test)]
mod tests;
