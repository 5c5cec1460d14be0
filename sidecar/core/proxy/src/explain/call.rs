//! What a call meets before an endpoint is picked.

use std::time::Duration;

use policy::Reason;
use policy::breaker::State;
use policy::method::Method;

use super::{Refused, Telling};
use crate::live::Cluster;
use crate::stages::{Refusal, admission, breaker, bulkhead, retry};

impl Telling<'_> {
    /// All of it, in order.
    pub(super) fn calls(&mut self, cluster: &Cluster) -> Result<(), Refused> {
        self.admission(cluster);
        self.bulkhead(cluster)?;
        self.budget(cluster);
        self.hedge(cluster);
        self.breaker(cluster)
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
        guard.check(self.worker, cluster, None);
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
}
