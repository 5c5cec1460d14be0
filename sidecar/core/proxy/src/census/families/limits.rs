//! What rate limits did, by policy and limit.

use std::collections::BTreeMap;

use policy::rate_limit::Limiter;
use policy::rate_limit::strain::Resource;

use super::{Family, Label, counter, gauge, text, word};
use crate::stages::rate_limit::{Counts, Statement};
use crate::worker::Worker;

/// What became of the requests of a limit; and of one that counts tokens, the least share left to a subject, and the
/// subjects.
#[derive(Default)]
struct Figures {
    counts: Counts,
    left: Option<(f64, usize)>,
}

impl Figures {
    fn add_left(&mut self, (ratio, keys): (f64, usize)) {
        let (least, all) = self.left.unwrap_or((ratio, 0));
        self.left = Some((least.min(ratio), all.saturating_add(keys)));
    }
}

/// Decisions, keys and tokens of every limit.
pub(super) fn limits(worker: &Worker) -> [Family; 3] {
    let results = &["policy", "limit", "result"];
    let mut decisions = counter("breakwater_ratelimit_decisions_total", results);
    let mut keys = gauge("breakwater_ratelimit_keys", &["policy", "limit"]);
    let mut tokens = gauge("breakwater_ratelimit_tokens_ratio", &["policy", "limit"]);
    for ([policy, name], figures) in by_limit(worker) {
        let counts = &figures.counts;
        let results = [
            ("allowed", &counts.allowed),
            ("limited", &counts.limited),
            ("exempt", &counts.exempt),
            ("shadow", &counts.shadow),
        ];
        for (result, count) in results {
            // Few limits exempt anybody, and few are in shadow.
            if count.get() > 0 || matches!(result, "allowed" | "limited") {
                let labels = [policy.clone(), name.clone(), word(result)];
                decisions.push(labels, count.get() as f64);
            }
        }
        if let Some((ratio, subjects)) = figures.left {
            keys.push([policy.clone(), name.clone()], subjects as f64);
            tokens.push([policy, name], ratio);
        }
    }
    [decisions, keys, tokens]
}

/// By policy and name: a policy for several services has its limits in each of them. One look at each limit, since
/// no request is served meanwhile.
fn by_limit(worker: &Worker) -> BTreeMap<[Label; 2], Figures> {
    let at = worker.moment(worker.clock.now_ns());
    let mut all = BTreeMap::<_, Figures>::new();
    let left = |limiter: &mut Limiter| {
        let capacity = limiter.capacity().max(1) as f64;
        (
            limiter.least_remaining(at) as f64 / capacity,
            limiter.keys(),
        )
    };
    for cluster in worker.live.borrow().limited() {
        cluster.visit_limits(|rule, limiter| {
            let figures = all.entry(label(&rule.stated)).or_default();
            figures.counts.add(&rule.stated.counts);
            figures.add_left(left(limiter));
        });
        for rule in cluster.limits.resources.iter() {
            let figures = all.entry(label(&rule.stated)).or_default();
            figures.counts.add(&rule.stated.counts);
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
