//! Families of breakers.

use std::sync::Arc;

use policy::breaker::State;

use super::{Label, counter, gauge, text, word};
use crate::census::visit_breakers;
use crate::live::Cluster;
use crate::report::Family;
use crate::stages::breaker::{Guard, STATES};
use crate::worker::Worker;

pub(super) fn states(worker: &Worker) -> Family {
    let labels = &["service", "route", "endpoint"];
    let mut family = gauge("breakwater_breaker_state", labels);
    visit_breakers(worker, |cluster, endpoint, guard| {
        let state = match guard.machine.state() {
            State::Closed | State::ForcedClosed | State::Disabled => 0.0,
            State::HalfOpen => 1.0,
            State::Open | State::ForcedOpen => 2.0,
        };
        family.push(place(cluster, endpoint, guard), state);
    });
    family
}

pub(super) fn transitions(worker: &Worker) -> Family {
    let labels = &["service", "route", "endpoint", "to"];
    let mut family = counter("breakwater_breaker_transitions_total", labels);
    visit_breakers(worker, |cluster, endpoint, guard| {
        for (state, count) in STATES.iter().zip(guard.entered()) {
            let [service, route, endpoint] = place(cluster, endpoint, guard);
            let labels = [service, route, endpoint, word(state.as_str())];
            family.push(labels, *count as f64);
        }
    });
    family
}

/// Service, route and endpoint of a breaker.
fn place(cluster: &Cluster, endpoint: Option<&Arc<str>>, guard: &Guard) -> [Label; 3] {
    [
        text(&cluster.config.service),
        text(guard.route.as_deref().unwrap_or_default()),
        text(endpoint.map_or("", AsRef::as_ref)),
    ]
}
