//! What would happen to a request now: the stages asked in their order, none of them charged.

mod connections;
mod limits;
mod rule;

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http1::Known;
use policy::backpressure::Entry;
use policy::balancer::Algorithm;
use policy::breaker::State;
use policy::method::Method;
use policy::readiness::Member;
use policy::{Criticality, Reason};

use crate::config::{Instead, Way};
use crate::entrances::Entrance;
use crate::front::Approach;
use crate::live::Cluster;
use crate::name::PolicyRef;
use crate::report::{Direction, Explanation, Question, Step};
use crate::request::{Request, Sender};
use crate::rules::Rule;
use crate::stages::endpoint::Affinity;
use crate::stages::rate_limit::matching::Governed;
use crate::stages::{
    Refusal, admission, backpressure, breaker, bulkhead, deadline, endpoint, retry,
};
use crate::worker::Worker;

/// The stages up to the one that refuses.
pub(crate) fn explain(worker: &Worker, question: &Question) -> Explanation {
    let mut telling = Telling {
        worker,
        question,
        rule: None,
        entrance: None,
        called: None,
        explanation: Explanation::default(),
    };
    // Whatever refuses has told so.
    let _ = telling.tell();
    telling.explanation
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
    explanation: Explanation,
}

/// A stage refused, so that the later ones are not met.
struct Refused;

type Policy = Option<Arc<PolicyRef>>;

impl Telling<'_> {
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

    /// What a call meets before an endpoint is picked.
    fn calls(&mut self, cluster: &Cluster) -> Result<(), Refused> {
        self.admission(cluster);
        self.bulkhead(cluster)?;
        self.budget(cluster);
        self.hedge(cluster);
        self.breaker(cluster)
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
        let mut telling = Telling {
            worker: self.worker,
            question: self.question,
            rule: self.rule.clone(),
            entrance: None,
            called: None,
            explanation: Explanation::default(),
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
            let text =
                format!("no configuration for {service} here; it is asked for when it is called");
            self.refuse("route", text, &Refusal::new(Reason::ConfigMissing))?;
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

    /// What rehearsals would do; one that refuses every request is a refusal.
    fn faults(&mut self, cluster: &Cluster, leads_on: bool) -> Result<(), Refused> {
        let at = self.worker.moment(self.worker.clock.now_ns());
        let rule = self.rule.clone();
        let governed = governed(self.question, rule.as_ref(), leads_on);
        for (fault, effects) in cluster.faults.met(governed, at) {
            let text = fault.tell(effects, at);
            let refusal = fault.refusal(effects).filter(|_| fault.is_for_all());
            match refusal {
                Some(refusal) => return self.refuse("fault", text, &refusal),
                None => self.pass("fault", text, Some(Arc::clone(&fault.rules.policy))),
            }
        }
        Ok(())
    }

    fn deadline(&mut self, cluster: &Cluster) -> Result<(), Refused> {
        let policy_ns = cluster.timeouts.request.map(crate::clock::nanoseconds);
        let fixed = deadline::read(self.question, None, 0)
            .and_then(|bounds| deadline::fix(bounds, policy_ns, 0));
        let policy = cluster
            .config
            .timeouts
            .as_ref()
            .and_then(|block| block.policy.clone());
        match fixed {
            Err(refusal) => self.refuse("deadline", "nothing is left of it".to_owned(), &refusal),
            Ok(None) => {
                self.pass("deadline", "none".to_owned(), None);
                Ok(())
            }
            Ok(Some(deadline)) => {
                let left = Duration::from_nanos(deadline.left_ns(0));
                let policy = policy.filter(|_| !deadline.is_callers());
                self.pass(
                    "deadline",
                    format!("{left:?} for the whole exchange"),
                    policy,
                );
                Ok(())
            }
        }
    }

    /// What would stand in front of the application if the policies in shadow acted too.
    fn shadow(&mut self, cluster: &Cluster) {
        let entrance = self.entrance.clone();
        let front = match &entrance {
            Some(entrance) => &entrance.shadow,
            None => &cluster.shadow,
        };
        let Some(front) = front else { return };
        let (mut text, verdict) = self.foresee(front);
        if let Entry::Refused(reason) = verdict {
            text.push_str(&format!(
                "; would be refused, {}, were it not in shadow",
                reason.as_str()
            ));
        }
        self.pass("backpressure in shadow", text, front.rules.policy());
    }

    fn backpressure(&mut self, cluster: &Cluster) -> Result<(), Refused> {
        let entrance = self.entrance.clone();
        let front = match &entrance {
            Some(entrance) => &entrance.front,
            None => &cluster.front,
        };
        let Some(front) = front else {
            return Ok(());
        };
        let (text, verdict) = self.foresee(front);
        if let Entry::Refused(reason) = verdict {
            return self.refuse("backpressure", text, &backpressure::refusal(front, reason));
        }
        self.pass("backpressure", text, front.rules.policy());
        Ok(())
    }

    /// What stands in front of the application, in words, and what would become of the request there.
    fn foresee(&self, approach: &Approach) -> (String, Entry) {
        let now_ns = self.worker.clock.now_ns();
        let arrival = backpressure::arrival(self.worker, approach, self.question, None);
        let class = arrival.class.as_str();
        let text = approach.front.look(|machine| {
            format!(
                "{} of {} running, {} of {} waiting; it is {class}",
                machine.in_flight(),
                machine.limit(),
                machine.depth(),
                machine.capacity(),
            )
        });
        (text, approach.front.foresee(&arrival, now_ns))
    }

    fn admission(&mut self, cluster: &Cluster) {
        let now_ns = self.worker.clock.now_ns();
        let Some(share) = cluster.admission.borrow_mut().share(now_ns) else {
            return;
        };
        let percent = f64::from(share.millionths()) / 1e4;
        let text = format!("keeps back {percent:.1} % of calls");
        self.pass("admission", text, admission::policy_of(cluster));
    }

    fn bulkhead(&mut self, cluster: &Cluster) -> Result<(), Refused> {
        let Some(gate) = &cluster.bulkhead else {
            return Ok(());
        };
        let (running, most, waiting, queue) = gate.look(|gate| {
            (
                gate.in_flight(),
                gate.params().max_concurrent,
                gate.waiting(),
                gate.queue_capacity(),
            )
        });
        let text = format!("{running} of {most} running, {waiting} of {queue} waiting");
        let policy = bulkhead::policy_of(cluster);
        if running >= most && waiting >= queue {
            return self.refuse(
                "bulkhead",
                text,
                &Refusal::new(Reason::BulkheadFull).by(policy),
            );
        }
        self.pass("bulkhead", text, policy);
        Ok(())
    }

    fn budget(&mut self, cluster: &Cluster) {
        let Some(budget) = &cluster.budget else {
            return;
        };
        let left = budget.borrow_mut().available(self.worker.clock.now_ns());
        let retry = cluster.config.retry.as_ref();
        let most = retry.map_or(0, |block| block.params.params.attempts);
        let text = format!("at most {most} retries; the budget has {left} left");
        self.pass("budget", text, retry::policy_of(&cluster.config));
    }

    fn hedge(&mut self, cluster: &Cluster) {
        let (Some(block), Some(recent)) = (&cluster.config.hedge, &cluster.recent) else {
            return;
        };
        let now_ns = self.worker.clock.now_ns();
        let method = Method::from_bytes(self.question.method.as_bytes());
        let after = block.params.after;
        let text = match after.delay_ns(&mut recent.borrow_mut(), now_ns) {
            _ if !method.is_safe() => format!("none: {} is not safe", self.question.method),
            Some(delay_ns) => {
                let delay = Duration::from_nanos(delay_ns);
                format!("a second attempt where no answer comes within {delay:?}, on budget")
            }
            None => "none yet: too few attempts are known of the last minute".to_owned(),
        };
        self.pass("hedge", text, block.policy.clone());
    }

    fn breaker(&mut self, cluster: &Cluster) -> Result<(), Refused> {
        let Some(guard) = &cluster.breaker else {
            return Ok(());
        };
        let now_ns = self.worker.clock.now_ns();
        let mut guard = guard.borrow_mut();
        let (state, counts) = (guard.machine.state(), guard.machine.counts(now_ns));
        let left_ns = guard
            .machine
            .until_ns()
            .map(|until_ns| until_ns.saturating_sub(now_ns));
        let mut text = format!(
            "{}: {} failures in {} calls",
            state.as_str(),
            counts.failures,
            counts.calls
        );
        let left_ns = left_ns.filter(|left_ns| *left_ns > 0);
        if let Some(left_ns) = left_ns {
            text.push_str(&format!(
                ", for another {:?}",
                Duration::from_millis(left_ns / 1_000_000)
            ));
        }
        let reason = match state {
            State::Open if left_ns.is_some() => Some(Reason::BreakerOpen),
            State::HalfOpen if !guard.machine.has_place() => Some(Reason::BreakerHalfOpenFull),
            State::ForcedOpen if left_ns.is_some() => Some(Reason::BreakerForced),
            _ => None,
        };
        let policy = breaker::policy_of(cluster, false);
        match reason {
            Some(reason) => self.refuse("breaker", text, &Refusal::new(reason).by(policy)),
            None => {
                self.pass("breaker", text, policy);
                Ok(())
            }
        }
    }

    fn endpoint(&mut self, cluster: &Cluster) -> Result<(), Refused> {
        let now_ns = self.worker.clock.now_ns();
        let affinity = Affinity::of(&cluster.config, self.question, Criticality::default);
        let (mut ready, mut all, mut outliers) = (0, 0, String::new());
        for set in &cluster.ports {
            set.visit(self.worker, cluster, |endpoint, is_ready| {
                all += 1;
                if let Some(cause) = endpoint.record.cause(now_ns).filter(|_| !is_ready) {
                    let cause = cause.as_str();
                    outliers.push_str(&format!("; {} is ejected: {cause}", endpoint.instance));
                }
                if endpoint.is_unhealthy() {
                    outliers.push_str(&format!("; {} is unhealthy", endpoint.instance));
                }
            });
            ready += set.ready_for(&affinity);
        }
        let group = match affinity.group_name(&cluster.config) {
            Some(name) => format!(" for group {name}"),
            None => String::new(),
        };
        let balancing = cluster.config.balancing.as_ref();
        let algorithm = balancing.map_or(Algorithm::default(), |block| block.params.algorithm);
        let algorithm = algorithm.as_str();
        let text = format!("{algorithm} over {ready} of {all} endpoints{group}{outliers}");
        if ready == 0 {
            let none = Reason::UpstreamNoEndpoints;
            let refusal = match cluster.ports.first() {
                Some(set) => set.refusal(cluster, none),
                None => Refusal::new(none),
            };
            return self.refuse("endpoint", text, &refusal);
        }
        self.pass("endpoint", text, endpoint::policy_of(&cluster.config));
        Ok(())
    }

    fn timeout(&mut self, cluster: &Cluster) {
        let timeouts = &cluster.timeouts;
        let mut text = format!("{:?} to connect", timeouts.connect);
        if let Some(per_try) = timeouts.per_try {
            text.push_str(&format!(", {per_try:?} for each attempt's headers"));
        }
        let policy = cluster
            .config
            .timeouts
            .as_ref()
            .and_then(|block| block.policy.clone());
        self.pass("timeout", text, policy);
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

/// A question reads like the request it is about; it comes from nowhere.
impl Request for Question {
    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn host(&self) -> &[u8] {
        self.service.name().as_bytes()
    }

    fn port(&self) -> Option<u16> {
        None
    }

    fn path(&self) -> &[u8] {
        self.path.split('?').next().unwrap_or_default().as_bytes()
    }

    fn query(&self) -> Option<&[u8]> {
        self.path.split_once('?').map(|(_, query)| query.as_bytes())
    }

    fn known(&self, name: Known) -> Option<&[u8]> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(header, _)| header == name.as_str())?;
        Some(value.as_bytes())
    }

    fn visit(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        let headers = self.headers.iter().filter(|(header, _)| header == name);
        headers.for_each(|(_, value)| each(value.as_bytes()));
    }

    fn protocol(&self) -> &'static str {
        "HTTP/1.1"
    }

    fn sender(&self) -> Sender {
        Sender {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            connection: 0,
        }
    }

    fn head_bytes(&self) -> u64 {
        let headers = self.headers.iter();
        let lengths = headers.map(|(name, value)| name.len() + value.len());
        (lengths.sum::<usize>() + self.path.len()) as u64
    }
}
