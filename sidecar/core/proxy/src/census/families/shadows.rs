//! What policies in shadow would have done to calls, by service.

use std::collections::BTreeMap;

use super::{Family, counter, text, word};
use crate::ServiceName;
use crate::stages::shadow::Foretold;
use crate::worker::Worker;

fn visit(worker: &Worker, mut each: impl FnMut(&ServiceName, &Foretold)) {
    for cluster in worker.live.borrow().clusters.values() {
        each(&cluster.config.service, &cluster.foretold);
    }
}

/// A counter with a value for each service that has one.
fn per_service(name: &'static str, count_of: impl Fn(&Foretold) -> u64, worker: &Worker) -> Family {
    let mut family = counter(name, &["service"]);
    visit(worker, |service, foretold| match count_of(foretold) {
        0 => {}
        count => family.push([text(service)], count as f64),
    });
    family
}

pub(super) fn refusals(worker: &Worker) -> Family {
    let mut family = counter("breakwater_shadow_refusals_total", &["service", "reason"]);
    visit(worker, |service, foretold| {
        foretold.visit(|reason, count| {
            family.push([text(service), word(reason.as_str())], count as f64);
        });
    });
    family
}

pub(super) fn retries(worker: &Worker) -> Family {
    let retries = |foretold: &Foretold| foretold.retries.get();
    per_service("breakwater_shadow_retries_total", retries, worker)
}

/// Of calls, and of requests in front of limits of our own services, at all of their ports.
pub(super) fn waits(worker: &Worker) -> Family {
    let mut waits: BTreeMap<_, u64> = BTreeMap::new();
    for cluster in worker.live.borrow().all() {
        let service = text(&cluster.config.service);
        *waits.entry(service).or_default() += cluster.foretold.waits.get();
    }
    let mut family = counter("breakwater_shadow_waits_total", &["service"]);
    for (service, count) in waits.into_iter().filter(|(_, count)| *count > 0) {
        family.push([service], count as f64);
    }
    family
}

pub(super) fn hedges(worker: &Worker) -> Family {
    let hedges = |foretold: &Foretold| foretold.hedges.get();
    per_service("breakwater_shadow_hedges_total", hedges, worker)
}

pub(super) fn fallbacks(worker: &Worker) -> Family {
    let fallbacks = |foretold: &Foretold| foretold.fallbacks.get();
    per_service("breakwater_shadow_fallbacks_total", fallbacks, worker)
}

pub(super) fn elsewhere(worker: &Worker) -> Family {
    let mut family = counter("breakwater_shadow_elsewhere_total", &["service", "cause"]);
    visit(worker, |service, foretold| {
        for (cause, count) in foretold.elsewhere().filter(|(_, count)| *count > 0) {
            family.push([text(service), word(cause.as_str())], count as f64);
        }
    });
    family
}
