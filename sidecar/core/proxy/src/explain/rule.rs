//! The rule of a route that a call falls under, and where the next one under it goes.

use std::rc::Rc;
use std::sync::Arc;

use policy::Reason;

use super::{Refused, Telling};
use crate::live::Cluster;
use crate::report::Direction;
use crate::rules::Rule;
use crate::stages::Refusal;
use crate::stages::route::{self, rule};

impl Telling<'_> {
    /// The service that the call goes to; the one that was called where no route governs it. No turn is taken.
    pub(super) fn rule(&mut self, called: Rc<Cluster>) -> Result<Rc<Cluster>, Refused> {
        let is_outbound = self.question.direction == Direction::Outbound;
        let route = route::at_default_port(&called).filter(|_| is_outbound);
        let Some(route) = route.filter(rule::governs) else {
            return Ok(called);
        };
        let Some(rule) = rule::of(&route, self.question) else {
            let text = "no rule of its routes is for such a call".to_owned();
            self.refuse("rule", text, &Refusal::new(Reason::RouteNone))?;
            return Err(Refused);
        };
        match rule::foretell(self.worker, &route, rule) {
            Ok(cluster) => {
                self.rule = Some(Rc::clone(rule));
                let is_elsewhere = cluster.config.service != called.config.service;
                self.called = (is_elsewhere && called.is_scoped).then(|| Rc::clone(&called));
                let text = tell(rule, &cluster);
                self.pass("rule", text, Some(Arc::clone(&rule.config.route)));
                Ok(cluster)
            }
            Err((refusal, missing)) => {
                let nowhere = match &missing {
                    Some(_) => "which leads to a service that nobody tells of",
                    None => "which leads nowhere",
                };
                self.missing = missing;
                self.refuse("rule", format!("{rule}, {nowhere}"), &refusal)?;
                Err(Refused)
            }
        }
    }
}

fn tell(rule: &Rule, next: &Cluster) -> String {
    let mut text = format!("{rule}, the next goes to {}", next.config.service);
    for mirror in &rule.mirrors {
        text.push_str(&format!("; copies go to {}", mirror.config.service));
    }
    text
}
