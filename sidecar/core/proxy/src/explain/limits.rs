//! What the limits that apply say.

use std::cmp::Reverse;
use std::sync::Arc;

use super::{Refused, Telling, governed};
use crate::live::Cluster;
use crate::report::Step;
use crate::stages::Refusal;
use crate::stages::rate_limit::matching::Governed;

impl Telling<'_> {
    pub(super) fn limits(&mut self, cluster: &Cluster, leads_on: bool) -> Result<(), Refused> {
        let at = self.worker.moment(self.worker.clock.now_ns());
        // A subject that is missing is noticed first; of limits that are used up the one is told that takes longest.
        let mut refusals = Vec::new();
        let explanation = &mut self.explanation;
        let rule = self.rule.clone();
        let governed = governed(self.question, rule.as_ref(), leads_on);
        cluster.limits.look(governed, at, |rule, look| {
            let (left, capacity) = (look.view.remaining, look.view.capacity);
            let cost = look.cost;
            let refuses = look.refuses;
            let exempt = if look.is_exempt { ", exempt" } else { "" };
            let shadow = shadow(look.would_refuse);
            let route = of_route(rule.stated.route());
            let text = format!(
                "limit {}/{}{route}: {left} left of {capacity}, costs {cost}{exempt}{shadow}",
                rule.stated.policy, rule.stated.name
            );
            let policy = Some(Arc::clone(&rule.stated.policy));
            explanation.steps.push(Step {
                stage: "limits",
                text,
                refuses,
                policy,
            });
            if refuses {
                let time_ns = look.retry_after_ns.unwrap_or(u64::MAX);
                let order = (look.has_subject, Reverse(time_ns));
                refusals.push((order, rule.stated.refusal(look.retry_after_ns)));
            }
        });
        refusals.sort_by_key(|(order, _)| *order);
        let longest = refusals.into_iter().next().map(|(_, refusal)| refusal);
        let Some(refusal) = self.resources(cluster, governed).or(longest) else {
            return Ok(());
        };
        self.explanation.refusal = Some((refusal.reason, refusal.http_status()));
        Err(Refused)
    }

    /// The first refusal, which comes before those of all other limits.
    fn resources(&mut self, cluster: &Cluster, governed: Governed<'_>) -> Option<Refusal> {
        let mut first = None;
        for (rule, look) in cluster.limits.resources.looks(governed) {
            let (policy, name) = (&rule.stated.policy, &rule.stated.name);
            let route = of_route(rule.stated.route());
            let mut text = format!("limit {policy}/{name}{route}: ");
            match rule.used() {
                Some(used) => {
                    text.push_str(&format!("{:.1} % used", f64::from(used.millionths()) / 1e4))
                }
                None => text.push_str("what is used is not known here"),
            }
            for resource in rule.strained() {
                text.push_str(&format!(", too much {}", resource.as_str()));
            }
            text.push_str(if look.is_exempt { ", exempt" } else { "" });
            text.push_str(shadow(look.would_refuse));
            self.explanation.steps.push(Step {
                stage: "limits",
                text,
                refuses: look.refuses,
                policy: Some(Arc::clone(policy)),
            });
            if look.refuses {
                first.get_or_insert_with(|| rule.stated.refusal(None));
            }
        }
        first
    }
}

/// What is said of a limit that is for a route alone.
fn of_route(route: Option<String>) -> String {
    route.map_or_else(String::new, |route| format!(" of route {route}"))
}

/// What is said of a limit in shadow.
const fn shadow(would_refuse: bool) -> &'static str {
    if would_refuse {
        "; would be refused, were it not in shadow"
    } else {
        ""
    }
}
