//! What the limits that apply say.

use std::sync::Arc;

use super::{Refused, Telling, governed};
use crate::live::Cluster;
use crate::report::Step;
use crate::stages::Refusal;
use crate::stages::rate_limit::matching::Governed;

impl Telling<'_> {
    pub(super) fn limits(&mut self, cluster: &Cluster, leads_on: bool) -> Result<(), Refused> {
        let at = self.worker.moment(self.worker.clock.now_ns());
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
                refusals.push(rule.stated.refusal(look.retry_after_ns));
            }
        });
        self.resources(cluster, governed, &mut refusals);
        let Some(refusal) = refusals.first() else {
            return Ok(());
        };
        self.explanation.refusal = Some((refusal.reason, refusal.http_status()));
        Err(Refused)
    }

    fn resources(
        &mut self,
        cluster: &Cluster,
        governed: Governed<'_>,
        refusals: &mut Vec<Refusal>,
    ) {
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
                refusals.insert(0, rule.stated.refusal(None));
            }
        }
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
