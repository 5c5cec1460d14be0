//! What rehearsals did, by policy.

use std::collections::BTreeMap;

use super::{Family, Label, counter, text, word};
use crate::worker::Worker;

/// A policy for several services has a rehearsal in each of them.
pub(super) fn faults(worker: &Worker) -> Family {
    let mut counts: BTreeMap<[Label; 3], u64> = BTreeMap::new();
    for cluster in worker.live.borrow().clusters.values() {
        for fault in cluster.faults.iter() {
            let result = if fault.rules.is_shadow {
                "shadow"
            } else {
                "injected"
            };
            for (effect, count) in fault.counts(fault.rules.effects()) {
                let labels = [text(&fault.rules.policy), word(effect), word(result)];
                *counts.entry(labels).or_default() += count.get();
            }
        }
    }
    let mut family = counter("breakwater_faults_total", &["policy", "fault", "result"]);
    for (labels, count) in counts {
        family.push(labels, count as f64);
    }
    family
}
