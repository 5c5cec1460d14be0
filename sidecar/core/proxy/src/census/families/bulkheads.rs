//! Bulkheads of the services that we call, and those that routes have for themselves.

use policy::bulkhead::Bulkhead;

use super::{Label, gauge, text, word};
use crate::gate::Gate;
use crate::report::Family;
use crate::worker::Worker;

/// Hands every bulkhead to `each`, with its service, and the route or rule that has it for itself.
pub(super) fn visit(worker: &Worker, mut each: impl FnMut([Label; 2], &Gate)) {
    let live = worker.live.borrow();
    for cluster in live.clusters.values() {
        if let Some(gate) = &cluster.bulkhead {
            each([text(&cluster.config.service), word("")], gate);
        }
    }
    for (service, route, gate) in &live.route_bulkheads {
        each([text(service), text(route)], gate);
    }
}

pub(super) fn in_flight(worker: &Worker) -> Family {
    let mut family = gauge("breakwater_bulkhead_inflight", &["service", "route"]);
    visit(worker, |place, gate| {
        family.push(place, f64::from(gate.look(Bulkhead::in_flight)));
    });
    family
}
