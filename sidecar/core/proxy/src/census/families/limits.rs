//! What rate limits did, by policy and limit.

use std::collections::BTreeMap;

use policy::rate_limit::Limiter;

use super::{Family, Label, counter, gauge, text, word};
use crate::stages::rate_limit::{Counts, Rule};
use crate::worker::Worker;

pub(super) fn decisions(worker: &Worker) -> Family {
    let labels = &["policy", "limit", "result"];
    let mut family = counter("breakwater_ratelimit_decisions_total", labels);
    for (limit, counts) in by_limit(worker, |rule, _| (*rule.counts).clone(), Counts::add) {
        let results = [
            ("allowed", &counts.allowed),
            ("limited", &counts.limited),
            ("exempt", &counts.exempt),
            ("shadow", &counts.shadow),
        ];
        for (result, count) in results {
            let [policy, name] = limit.clone();
            family.push([policy, name, word(result)], count.get() as f64);
        }
    }
    family
}

pub(super) fn tokens(worker: &Worker) -> Family {
    let at = worker.moment(worker.clock.now_ns());
    let left = |_: &Rule, limiter: &mut Limiter| {
        let capacity = limiter.capacity().max(1) as f64;
        limiter.least_remaining(at) as f64 / capacity
    };
    let mut family = gauge("breakwater_ratelimit_tokens_ratio", &["policy", "limit"]);
    for (limit, ratio) in by_limit(worker, left, f64::min) {
        family.push(limit, ratio);
    }
    family
}

pub(super) fn keys(worker: &Worker) -> Family {
    let keys = |_: &Rule, limiter: &mut Limiter| limiter.keys();
    let mut family = gauge("breakwater_ratelimit_keys", &["policy", "limit"]);
    for (limit, keys) in by_limit(worker, keys, usize::saturating_add) {
        family.push(limit, keys as f64);
    }
    family
}

/// A figure of each limit, by policy and name: a policy for several services has its limits in each of them.
fn by_limit<T>(
    worker: &Worker,
    figure: impl Fn(&Rule, &mut Limiter) -> T,
    sum: impl Fn(T, T) -> T,
) -> BTreeMap<[Label; 2], T> {
    let mut figures = BTreeMap::new();
    for cluster in worker.live.borrow().all() {
        cluster.visit_limits(|rule, limiter| {
            let limit = [text(&rule.policy), text(&rule.name)];
            let found = figure(rule, limiter);
            let known = figures.remove(&limit);
            let total = match known {
                Some(known) => sum(known, found),
                None => found,
            };
            figures.insert(limit, total);
        });
    }
    figures
}
