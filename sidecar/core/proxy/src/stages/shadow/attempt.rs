//! An attempt that was made, as it stands with the policies in shadow: at the breakers, and at its endpoint.

use policy::ending::Ending;
use policy::hedge;
use policy::readiness::Elsewhere;

use super::{Deed, Deeds, Ended, Foreseen, told};
use crate::clock::nanoseconds;
use crate::stages::Refusal;
use crate::stages::breaker::{self, Call};
use crate::stages::endpoint::{self, Followed, Made, Picked, Settlement};
use crate::tally::AttemptResult;
use crate::worker::Worker;

/// What one attempt holds in shadow; dropping it gives that back, uncounted.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    call: Option<Call>,
    picked: Option<Picked>,
    /// When another one would be made beside it.
    hedge_at_ns: Option<u64>,
}

impl Foreseen {
    /// Begins an attempt, or tells how the first one would be refused; refused, another attempt would just not be made.
    pub(crate) fn begin(
        &mut self,
        worker: &Worker,
        made: Made,
        deeds: &mut Deeds,
        now_ns: u64,
    ) -> Result<Attempt, Refusal> {
        self.tries.begun += 1;
        match self.admit(worker, made, deeds, now_ns) {
            Err(refusal) if self.tries.begun == 1 => Err(told(&self.cluster, refusal)),
            admitted => Ok(admitted.unwrap_or_default()),
        }
    }

    fn admit(
        &mut self,
        worker: &Worker,
        made: Made,
        deeds: &mut Deeds,
        now_ns: u64,
    ) -> Result<Attempt, Refusal> {
        let call = breaker::admit(worker, &self.cluster, now_ns)?;
        self.is_elsewhere = false;
        let followed = self
            .endpoints
            .as_ref()
            .and_then(|(set, affinity)| set.follow(worker, &self.cluster, affinity, made, now_ns));
        let picked = match followed {
            Some(Followed::Nowhere(refusal)) => return Err(refusal),
            Some(Followed::Elsewhere(why)) => {
                self.is_elsewhere = true;
                self.note(deeds, Deed::Elsewhere(why));
                return Ok(Attempt::default());
            }
            Some(Followed::There(picked)) => Some(picked),
            None => None,
        };
        Ok(Attempt {
            call,
            picked,
            hedge_at_ns: None,
        })
    }

    /// Notes when another attempt would be made beside one that was just begun.
    pub(crate) fn watch(&self, attempt: &mut Attempt, has_whole_body: bool, now_ns: u64) {
        let (Some(block), Some(recent)) = (&self.cluster.config.hedge, &self.cluster.recent) else {
            return;
        };
        if self.tries.is_hedgeable(has_whole_body) {
            let delay_ns = block
                .params
                .after
                .delay_ns(&mut recent.borrow_mut(), now_ns);
            attempt.hedge_at_ns = delay_ns.map(|delay_ns| now_ns.saturating_add(delay_ns));
        }
    }

    /// Notes that another attempt was made beside one.
    pub(crate) const fn note_hedged(&mut self) {
        self.tries.has_hedged = true;
    }

    /// Notes that the response headers are there.
    pub(crate) fn on_headers(
        &mut self,
        worker: &Worker,
        attempt: &mut Attempt,
        deeds: &mut Deeds,
        now_ns: u64,
    ) {
        self.hedge(attempt, deeds, now_ns);
        if let Some(call) = &attempt.call {
            call.on_headers(worker, &self.cluster, now_ns);
        }
        if let Some(picked) = &attempt.picked {
            picked.on_headers(worker, &self.cluster, now_ns);
        }
    }

    /// Counts another attempt that would be under way by now, if the budget had paid for it; where one is, that is no
    /// news.
    fn hedge(&mut self, attempt: &mut Attempt, deeds: &mut Deeds, now_ns: u64) {
        let due_ns = attempt.hedge_at_ns.take();
        let Some(budget) = self
            .cluster
            .budget
            .as_ref()
            .filter(|_| due_ns.is_some_and(|at_ns| at_ns <= now_ns))
        else {
            return;
        };
        let service = self.cluster.breaker.as_ref();
        let service = service.map(|guard| guard.borrow().machine.state());
        let endpoints = self
            .endpoints
            .iter()
            .flat_map(|(set, _)| set.breaker_states());
        let is_paid = hedge::pay(
            service.into_iter().chain(endpoints),
            &mut budget.borrow_mut(),
            now_ns,
        )
        .is_some();
        if is_paid && !self.tries.has_hedged {
            self.tries.has_hedged = true;
            self.tries.begun += 1;
            self.note(deeds, Deed::Hedge);
        }
    }

    /// Gives the permits back with what an attempt came to, by the time-outs in shadow.
    pub(crate) fn settle(
        &mut self,
        worker: &Worker,
        mut attempt: Attempt,
        ended: Ended,
        deeds: &mut Deeds,
        now_ns: u64,
    ) {
        self.hedge(&mut attempt, deeds, now_ns);
        let cluster = &self.cluster;
        let per_try = cluster.timeouts.per_try.map(nanoseconds);
        self.is_late = per_try.is_some_and(|per_try_ns| ended.headers_ns > per_try_ns);
        let ending = match self.is_late {
            true => Ending::PerTryTimeout,
            false => ended.ending,
        };
        self.note_latency(&ending, ended, now_ns);
        if let Some(picked) = attempt.picked {
            picked.settle(worker, cluster, self.settlement(&ending, ended), now_ns);
        }
        let Some(call) = attempt.call else { return };
        if ended.is_overload {
            return call.settle_overload(worker, cluster, now_ns);
        }
        let outcome = breaker::outcome(&cluster.config, false, &ending);
        call.settle(worker, cluster, outcome, ended.latency_ns, now_ns);
    }

    fn settlement(&self, ending: &Ending, ended: Ended) -> Settlement {
        let config = &self.cluster.config;
        Settlement {
            outcome: breaker::outcome(config, true, ending),
            signal: endpoint::signal(config, ending),
            latency_ns: ended.latency_ns,
            load_ns: ended.headers_ns,
            has_failed: ended.has_failed,
            retry_after_ns: None,
        }
    }

    /// Remembers how long an attempt took that succeeded; one that would have gone elsewhere says nothing.
    fn note_latency(&self, ending: &Ending, ended: Ended, now_ns: u64) {
        let Some(recent) = self.cluster.recent.as_ref().filter(|_| !self.is_elsewhere) else {
            return;
        };
        if AttemptResult::of(ending, ended.has_failed) == AttemptResult::Success {
            recent.borrow_mut().record(ended.latency_ns, now_ns);
        }
    }

    /// Counts and notes what would have been done, by the policy that says so.
    pub(super) fn note(&self, deeds: &mut Deeds, deed: Deed) {
        let config = &self.cluster.config;
        let policy = match deed {
            Deed::Retry => config.retry.as_ref().map(|block| &block.policy),
            Deed::Hedge => config.hedge.as_ref().map(|block| &block.policy),
            Deed::FallBack => config.fallback.as_ref().map(|block| &block.policy),
            Deed::Elsewhere(Elsewhere::Unhealthy) => {
                config.health_check.as_ref().map(|block| &block.policy)
            }
            Deed::Elsewhere(Elsewhere::Outlier) => {
                config.outliers.as_ref().map(|block| &block.policy)
            }
            Deed::Elsewhere(Elsewhere::Breaker) => {
                config.endpoint_breaker.as_ref().map(|block| &block.policy)
            }
            Deed::Elsewhere(Elsewhere::Group) => config.groups.as_ref().map(|block| &block.policy),
            Deed::Elsewhere(Elsewhere::Zone | Elsewhere::Hash) => {
                config.balancing.as_ref().map(|block| &block.policy)
            }
        };
        deeds.note(&self.cluster.foretold, deed, policy.cloned().flatten());
    }
}
