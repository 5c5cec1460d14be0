//! Copies of requests, by the rule whose requests were to be copied, and where to.

use std::collections::BTreeMap;

use super::{Family, Label, counter, gauge, text, word};
use crate::stages::mirror::Fate;
use crate::worker::Worker;

/// A rule may copy its requests to one service several times.
pub(super) fn mirrored(worker: &Worker) -> Family {
    let mut counts: BTreeMap<[Label; 4], u64> = BTreeMap::new();
    for cluster in worker.live.borrow().clusters.values() {
        for rule in cluster.rules.iter() {
            for mirror in &rule.mirrors {
                let to = &mirror.config.service;
                for fate in Fate::ALL {
                    let service = text(&cluster.config.service);
                    let labels = [service, text(rule), text(to), word(fate.as_str())];
                    *counts.entry(labels).or_default() += mirror.count(fate);
                }
            }
        }
    }
    let labels = &["service", "route", "to", "result"];
    let mut family = counter("breakwater_mirrored_total", labels);
    for (labels, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        family.push(labels, count as f64);
    }
    family
}

pub(super) fn in_flight(worker: &Worker) -> Family {
    let mut family = gauge("breakwater_mirrors_inflight", &[]);
    family.push([], f64::from(worker.mirrored.copies()));
    family
}
