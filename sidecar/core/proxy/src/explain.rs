//! What would happen to a request now: the stages asked in their order, none of them charged. What the configuration
//! lacks of a service is asked for, as the request would.

mod call;
mod connections;
mod endpoint;
mod faults;
mod front;
mod limits;
mod question;
mod rule;
mod time;

use std::rc::Rc;
use std::sync::Arc;

use policy::Reason;

use crate::config::{Instead, Way};
use crate::entrances::Entrance;
use crate::handle::{Supply, Wanted};
use crate::live::Cluster;
use crate::name::{PolicyRef, ServiceName};
use crate::report::{Direction, Explanation, Question, Step};
use crate::rules::Rule;
use crate::stages::Refusal;
use crate::stages::rate_limit::matching::Governed;
use crate::worker::Worker;

/// The services whose configuration a call may lack: the one that is called, and the one that its rule leads to.
const MOST_MISSING: usize = 2;

/// The stages up to the one that refuses.
pub(crate) async fn explain(worker: &Worker, question: &Question) -> Explanation {
    for _ in 0..MOST_MISSING {
        let telling = Telling::of(worker, question);
        let Some(wanted) = telling.missing else {
            return telling.explanation;
        };
        if worker.demands.ask(&wanted, None).await == Supply::Unavailable {
            return telling.explanation;
        }
    }
    Telling::of(worker, question).explanation
}

/// An explanation in the making.
struct Telling<'a> {
    worker: &'a Worker,
    question: &'a Question,
    /// The rule of a route that the request falls under.
    rule: Option<Rc<Rule>>,
    /// The way in by it, where our own application is asked about.
    entrance: Option<Rc<Entrance>>,
    /// The service that was called, where its rule leads to another one and something is said of that way.
    called: Option<Rc<Cluster>>,
    /// What the configuration lacks.
    missing: Option<Wanted>,
    explanation: Explanation,
}

/// A stage refused, so that the later ones are not met.
struct Refused;

type Policy = Option<Arc<PolicyRef>>;

impl<'a> Telling<'a> {
    fn begin(worker: &'a Worker, question: &'a Question) -> Self {
        Self {
            worker,
            question,
            rule: None,
            entrance: None,
            called: None,
            missing: None,
            explanation: Explanation::default(),
        }
    }

    /// All that there is to tell.
    fn of(worker: &'a Worker, question: &'a Question) -> Self {
        let mut telling = Self::begin(worker, question);
        // Whatever refuses has told so.
        let _ = telling.tell();
        telling
    }

    fn tell(&mut self) -> Result<(), Refused> {
        let called = self.route()?;
        let cluster = self.rule(called)?;
        let met = self.stages(&cluster);
        self.fallback(&cluster);
        met
    }

    fn stages(&mut self, cluster: &Rc<Cluster>) -> Result<(), Refused> {
        let called = self.called.clone();
        if let Some(called) = &called {
            self.faults(called, true)?;
        }
        self.faults(cluster, false)?;
        self.deadline(cluster)?;
        if let Some(called) = &called {
            self.limits(called, true)?;
        }
        self.limits(cluster, false)?;
        self.backpressure(cluster)?;
        self.shadow(cluster);
        if self.question.direction == Direction::Outbound {
            self.calls(cluster)?;
            self.foreseen(cluster);
        }
        self.endpoint(cluster)?;
        self.connections(cluster)?;
        self.timeout(cluster);
        Ok(())
    }

    /// What a call meets in shadow; its endpoint too where that is chosen by other rules.
    fn choices(&mut self, shadow: &Cluster) -> Result<(), Refused> {
        self.calls(shadow)?;
        if !shadow.ports.is_empty() {
            self.endpoint(shadow)?;
        }
        self.connections(shadow)
    }

    /// How a call stands with the policies in shadow.
    fn foreseen(&mut self, cluster: &Cluster) {
        let Some(shadow) = &cluster.foreseen else {
            return;
        };
        let mut telling = Self {
            rule: self.rule.clone(),
            ..Self::begin(self.worker, self.question)
        };
        // Whatever would refuse has told so.
        let _ = telling.choices(shadow);
        if shadow.config.fallback != cluster.config.fallback {
            telling.fallback(shadow);
        }
        for step in telling.explanation.steps {
            let mut text = format!("{}: {}", step.stage, step.text);
            if let Some((reason, _)) = telling.explanation.refusal.filter(|_| step.refuses) {
                let word = reason.as_str();
                text.push_str(&format!(
                    "; would be refused, {word}, were it not in shadow"
                ));
            }
            self.pass("in shadow", text, step.policy);
        }
    }

    /// What answers instead of a refusal, or would.
    fn fallback(&mut self, cluster: &Cluster) {
        let Some(block) = &cluster.config.fallback else {
            return;
        };
        let refusal = self.explanation.refusal;
        let is_covered = refusal.is_some_and(|(reason, _)| block.params.when.cover(reason));
        let when = if is_covered { "instead" } else { "if it fails" };
        let text = match &block.params.instead {
            Instead::Response { status, .. } => format!("{status}, always the same, {when}"),
            Instead::Service(service) => format!("{service} is asked {when}"),
        };
        self.pass("fallback", text, block.policy.clone());
    }

    fn pass(&mut self, stage: &'static str, text: String, policy: Policy) {
        self.explanation.steps.push(Step {
            stage,
            text,
            refuses: false,
            policy,
        });
    }

    fn refuse(
        &mut self,
        stage: &'static str,
        text: String,
        refusal: &Refusal,
    ) -> Result<(), Refused> {
        let policy = refusal.policy.clone();
        self.explanation.steps.push(Step {
            stage,
            text,
            refuses: true,
            policy,
        });
        self.explanation.refusal = Some((refusal.reason, refusal.http_status()));
        Err(Refused)
    }

    fn route(&mut self) -> Result<Rc<Cluster>, Refused> {
        let live = Rc::clone(&self.worker.live.borrow());
        let service = &self.question.service;
        let found = match self.question.direction {
            Direction::Outbound => live.clusters.get(service),
            Direction::Inbound => live.own().find(|live| live.config.service == *service),
        };
        let Some(cluster) = found else {
            self.unknown(service)?;
            return Err(Refused);
        };
        let entrances = cluster.entrances.as_ref();
        let entrance = entrances.and_then(|it| it.find(self.question, &self.worker.namespace));
        self.rule = entrance.map(|entrance| Rc::clone(&entrance.rule));
        self.entrance = entrance.cloned();
        let mut text = format!("{service}, {}", self.question.direction.as_str());
        if let Some(rule) = &self.rule {
            text.push_str(&format!(", rule {rule}"));
        }
        self.pass("route", text, None);
        Ok(Rc::clone(cluster))
    }

    /// Nothing is known here of a service; a call of it would ask, if that did not find it to be none lately.
    fn unknown(&mut self, service: &ServiceName) -> Result<(), Refused> {
        let wanted = Wanted::Service(service.clone());
        let is_outbound = self.question.direction == Direction::Outbound;
        let now_ns = self.worker.clock.now_ns();
        if is_outbound && self.worker.demands.is_unknown(&wanted, now_ns) {
            let text = format!("there is no service {service}");
            return self.refuse("route", text, &Refusal::new(Reason::RouteNone));
        }
        self.missing = is_outbound.then_some(wanted);
        let text = format!("no configuration for {service} here");
        self.refuse("route", text, &Refusal::new(Reason::ConfigMissing))
    }
}

/// A question as limits and rehearsals see it.
fn governed<'a>(
    question: &'a Question,
    rule: Option<&'a Rc<Rule>>,
    leads_on: bool,
) -> Governed<'a> {
    Governed {
        request: question,
        way: Way {
            rule: rule.map(|rule| &rule.config),
            leads_on,
        },
    }
}
