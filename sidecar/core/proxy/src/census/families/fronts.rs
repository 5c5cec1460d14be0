//! What stands in front of applications: ours, and, as far as we queue for them, those we call.

use policy::Criticality;
use policy::backpressure::Backpressure;
use policy::bulkhead::Bulkhead;

use super::{BOUNDS, Label, bulkheads, counter, family, gauge, text, word};
use crate::front::Front;
use crate::live::{Fronts, Live};
use crate::report::{Direction, Family, MetricKind, Point};
use crate::worker::Worker;

/// What acts.
fn acting(live: &Live) -> &Fronts {
    &live.fronts
}

/// What only reports.
fn in_shadow(live: &Live) -> &Fronts {
    &live.shadows
}

/// Hands every front to `each`, with its service, and the route or rule that has it for itself.
fn visit_of(
    worker: &Worker,
    fronts_of: fn(&Live) -> &Fronts,
    mut each: impl FnMut([Label; 2], &Front),
) {
    for (service, scope, front) in fronts_of(&worker.live.borrow()).iter() {
        each([text(service), scope.map_or(word(""), text)], front);
    }
}

fn visit(worker: &Worker, each: impl FnMut([Label; 2], &Front)) {
    visit_of(worker, acting, each);
}

/// A gauge with at most one value for each front.
fn per_front(
    name: &'static str,
    value: impl Fn(&mut Backpressure) -> Option<f64>,
    worker: &Worker,
) -> Family {
    let mut family = gauge(name, &["service", "route"]);
    visit(worker, |place, front| {
        if let Some(value) = front.look(&value) {
            family.push(place, value);
        }
    });
    family
}

pub(super) fn concurrency_limit(worker: &Worker) -> Family {
    let limit = |machine: &mut Backpressure| {
        let limit = machine.limit();
        (limit < u32::MAX).then(|| f64::from(limit))
    };
    per_front("breakwater_concurrency_limit", limit, worker)
}

pub(super) fn queue_capacity(worker: &Worker) -> Family {
    let capacity = |machine: &mut Backpressure| Some(f64::from(machine.capacity()));
    per_front("breakwater_queue_capacity", capacity, worker)
}

/// Entries per second, over the last five.
pub(super) fn queue_growth(worker: &Worker) -> Family {
    let now_ns = worker.clock.now_ns();
    let growth = |machine: &mut Backpressure| {
        let slope = machine.slope(now_ns);
        Some(slope.grown as f64 * 1e9 / slope.in_ns.max(1) as f64)
    };
    per_front("breakwater_queue_growth", growth, worker)
}

/// Who waits for our application, and for a place in the bulkhead of one that we call.
pub(super) fn queue_depth(worker: &Worker) -> Family {
    let mut family = gauge("breakwater_queue_depth", &["direction", "service", "route"]);
    visit(worker, |[service, route], front| {
        let waiting = front.look(|machine| machine.depth() + machine.held());
        let direction = word(Direction::Inbound.as_str());
        family.push([direction, service, route], f64::from(waiting));
    });
    bulkheads::visit(worker, |[service, route], gate| {
        let waiting = f64::from(gate.look(Bulkhead::waiting));
        let direction = word(Direction::Outbound.as_str());
        family.push([direction, service, route], waiting);
    });
    family
}

pub(super) fn queue_wait(worker: &Worker) -> Family {
    waits(worker, "breakwater_queue_wait_seconds", acting)
}

/// How long requests would have waited.
pub(super) fn shadow_wait(worker: &Worker) -> Family {
    waits(worker, "breakwater_shadow_wait_seconds", in_shadow)
}

fn waits(worker: &Worker, name: &'static str, fronts_of: fn(&Live) -> &Fronts) -> Family {
    let mut family = Family {
        bounds: &BOUNDS,
        ..family(name, MetricKind::Histogram, &["service", "route"])
    };
    visit_of(worker, fronts_of, |place, front| {
        let waits = front.counts.waits.borrow();
        family.points.push(Point {
            labels: place.into(),
            value: waits.sum_ns() as f64 / 1e9,
            buckets: waits.counts().to_vec(),
        });
    });
    family
}

pub(super) fn admitted(worker: &Worker) -> Family {
    let labels = &["service", "route", "priority"];
    let mut family = counter("breakwater_admitted_total", labels);
    visit(worker, |[service, route], front| {
        for class in Criticality::ALL {
            let labels = [service.clone(), route.clone(), word(class.as_str())];
            family.push(labels, front.counts.admitted(class) as f64);
        }
    });
    family
}

pub(super) fn shed(worker: &Worker) -> Family {
    refusals(worker, "breakwater_shed_total", acting)
}

/// What would have been refused.
pub(super) fn shadow_shed(worker: &Worker) -> Family {
    refusals(worker, "breakwater_shadow_shed_total", in_shadow)
}

fn refusals(worker: &Worker, name: &'static str, fronts_of: fn(&Live) -> &Fronts) -> Family {
    let mut family = counter(name, &["service", "route", "priority", "reason"]);
    visit_of(worker, fronts_of, |[service, route], front| {
        front.counts.visit_shed(|class, reason, count| {
            let labels = [
                service.clone(),
                route.clone(),
                word(class.as_str()),
                word(reason.as_str()),
            ];
            family.push(labels, count as f64);
        });
    });
    family
}
