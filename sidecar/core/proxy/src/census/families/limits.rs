//! What rate limits did, by policy and limit.

use std::collections::BTreeMap;

use policy::rate_limit::Limiter;
use policy::rate_limit::strain::Resource;

use super::{Family, Label, counter, gauge, text, word};
use crate::stages::rate_limit::{Counts, Rule, Statement};
use crate::worker::Worker;

pub(super) fn decisions(worker: &Worker) -> Family {
    let labels = &["policy", "limit", "result"];
    let mut family = counter("breakwater_ratelimit_decisions_total", labels);
    for (limit, counts) in counts(worker) {
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

/// What became of requests, also of those that limits of resources decided about.
fn counts(worker: &Worker) -> BTreeMap<[Label; 2], Counts> {
    let mut all = by_limit(worker, |rule, _| (*rule.stated.counts).clone(), Counts::add);
    for cluster in worker.live.borrow().limited() {
        for rule in cluster.limits.resources.iter() {
            let known = all.remove(&label(&rule.stated)).unwrap_or_default();
            let total = known.add((*rule.stated.counts).clone());
            all.insert(label(&rule.stated), total);
        }
    }
    all
}

fn label(stated: &Statement) -> [Label; 2] {
    [text(&stated.policy), text(&stated.name)]
}

/// How much of the cgroup is used, of what is known.
pub(super) fn resources(worker: &Worker) -> Family {
    let mut family = gauge("breakwater_resource_used_ratio", &["resource"]);
    for resource in Resource::ALL {
        if let Some(used) = worker.gauges.read(resource) {
            family.push(
                [word(resource.as_str())],
                f64::from(used.millionths()) / 1e6,
            );
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
    for cluster in worker.live.borrow().limited() {
        cluster.visit_limits(|rule, limiter| {
            let limit = label(&rule.stated);
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
