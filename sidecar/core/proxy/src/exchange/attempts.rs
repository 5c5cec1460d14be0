//! Attempts: begun, answered or failed, settled, and made again.

use std::rc::Rc;

use policy::Reason;
use policy::ending::Ending;

use super::{Attempt, Course, Destination, Exchange, peer};
use crate::live::Cluster;
use crate::request::Response;
use crate::stages::endpoint::{Made, Settlement};
use crate::stages::retry::{Asked, Standing};
use crate::stages::timeout::{self, HeadersBy};
use crate::stages::{Refusal, admission, breaker, endpoint, retry};
use crate::tally::AttemptResult;

impl Exchange {
    /// Begins the first attempt.
    pub(crate) fn attempt(&mut self) -> Result<Destination, Refusal> {
        self.record.queue_ns = self.now_ns.saturating_sub(self.record.started_ns);
        self.begin_attempt()
    }

    /// Begins the attempt that was decided on. Refused, it costs no budget, and what was to be retried goes back.
    pub(crate) fn retry(&mut self) -> Result<Destination, Refusal> {
        self.now_ns = self.worker.clock.now_ns();
        let begun = self.begin_attempt();
        if begun.is_ok() {
            self.tries.use_spent();
            return begun;
        }
        self.tries.refund();
        begun.map_err(|refused| self.failure.take().unwrap_or(refused))
    }

    pub(super) fn begin_attempt(&mut self) -> Result<Destination, Refusal> {
        let Some(route) = &self.route else {
            return Err(Refusal::new(Reason::RouteNone));
        };
        let cluster = &route.cluster;
        let call = breaker::admit(&self.worker, cluster, self.now_ns)?;
        let picked = route.endpoints.pick(
            &self.worker,
            cluster,
            &self.affinity,
            self.tried,
            self.now_ns,
        )?;
        let mut destination = Destination {
            address: picked.address,
            pools: Rc::clone(&picked.pools),
            cluster: Rc::clone(cluster),
            flow: self.record.rule.as_ref().map_or(0, |rule| rule.flow),
            is_foreseen: false,
        };
        let made = Made {
            address: picked.address,
            before: self.record.upstream.filter(|_| self.tried.is_some()),
        };
        self.tried = Some(picked.id);
        self.tries.begun += 1;
        self.record.attempts = self.tries.begun;
        self.record.upstream = Some(picked.address);
        let span = self.begin_span();
        self.current = Some(Attempt {
            number: self.tries.begun,
            span,
            picked,
            before: made.before,
            call,
            began_ns: self.now_ns,
            headers_ns: None,
            retry_after_ns: None,
            ending: Ending::ClientLeft,
            is_overload: false,
            foreseen: None,
        });
        self.foresee_attempt(made);
        destination.is_foreseen = self.foreseen.is_some();
        Ok(destination)
    }

    /// The attempt has a connection that it waited for: what remains of the deadline is handed on as of now.
    pub(crate) fn note_connected(&mut self) {
        self.now_ns = self.worker.clock.now_ns();
    }

    /// Until when the attempt waits for response headers.
    pub(crate) fn headers_by_ns(&self) -> Option<u64> {
        self.headers_by().map(|by| by.at_ns)
    }

    pub(super) fn headers_by(&self) -> Option<HeadersBy> {
        let cluster = &self.route.as_ref()?.cluster;
        let began_ns = self.current.as_ref()?.began_ns;
        timeout::headers_by(&cluster.timeouts, self.deadline, began_ns)
    }

    /// Whether the attempt may be made again for free: its pooled connection was closed before a byte came back.
    pub(crate) fn take_free(&mut self) -> bool {
        self.tries.take_free(self.replay_bytes())
    }

    /// An interim answer was passed on: from now on nothing is tried again.
    pub(crate) const fn note_passed_on(&mut self) {
        self.tries.is_passed_on = true;
    }

    /// The attempt found no place among the cluster's connections: it was not made. Unless the one before it brought an
    /// answer, this goes back: what that one failed with, if there was one.
    pub(crate) fn withdraw(&mut self) -> Refusal {
        self.unmake_attempt();
        if let Some(failure) = self.failure.take() {
            return failure;
        }
        if self.deadline.is_some_and(|by| by.at_ns() <= self.now_ns) {
            return self.refusal_of(Reason::TimeoutRequest);
        }
        let pool = self.config().and_then(|config| config.pool.as_ref());
        Refusal::new(Reason::BulkheadConnections).by(pool.and_then(|block| block.policy.clone()))
    }

    /// Has it that the attempt under way was never begun; what it held and what it cost comes back.
    pub(super) fn unmake_attempt(&mut self) {
        self.now_ns = self.worker.clock.now_ns();
        if let Some(attempt) = self.current.take() {
            self.record.upstream = attempt.before;
            self.unmake_span();
        }
        self.tries.withdraw();
        self.record.attempts = self.tries.begun;
    }

    /// The attempt's response head is there.
    pub(crate) fn answered(&mut self, response: &dyn Response) -> Course {
        self.now_ns = self.worker.clock.now_ns();
        self.failure = None;
        self.record.status = response.status();
        let Some((ending, asked)) = self.note_headers(response) else {
            return Course::Deliver;
        };
        self.is_stream = timeout::is_stream(&self.traits, response);
        if self.is_stream
            && let Some(hop) = &self.hop
        {
            hop.withhold_deadline();
        }
        match self.decide(ending, asked) {
            Some(delay_ns) => {
                self.settle();
                Course::Retry { delay_ns }
            }
            None => match self.stand_in_for(ending, response) {
                Some(refusal) => {
                    self.settle();
                    Course::Refuse(refusal)
                }
                None => Course::Deliver,
            },
        }
    }

    /// The answer of an attempt that was to be made again goes back after all, unless it is a peer's refusal that something
    /// else stands in for.
    pub(crate) fn stand_in(&mut self, response: &dyn Response) -> Option<Refusal> {
        let ending = peer::ending_of(response, self.is_from_sidecar, self.traits.is_grpc);
        self.stand_in_for(ending, response)
    }

    fn stand_in_for(&mut self, ending: Ending, response: &dyn Response) -> Option<Refusal> {
        if !matches!(ending, Ending::PeerRefusal { .. }) {
            return None;
        }
        let reason = peer::reason(response).and_then(Reason::parse)?;
        let refusal = self.given_up(Refusal::new(reason));
        self.foresee_fallback(&refusal);
        self.falls_back(&refusal).then_some(refusal)
    }

    /// Tells the breakers of the headers; how the attempt ended, as far as they say, and what they ask for.
    pub(super) fn note_headers(&mut self, response: &dyn Response) -> Option<(Ending, Asked)> {
        let unix_ns = self.unix_ns();
        let (attempt, route) = (self.current.as_mut()?, self.route.as_ref()?);
        self.is_from_sidecar = attempt.picked.has_sidecar;
        let asked = Asked::read(response, self.is_from_sidecar, unix_ns);
        attempt.headers_ns = Some(self.now_ns);
        attempt.retry_after_ns = asked.retry_after_ns;
        attempt.ending = peer::ending_of(response, self.is_from_sidecar, self.traits.is_grpc);
        attempt.is_overload = self.is_from_sidecar && peer::is_overload(response);
        if let Ending::Response { code, .. } = attempt.ending {
            self.record.code = code;
        }
        let (worker, cluster) = (&self.worker, &route.cluster);
        if let Some(rate) = admission::said_rate(response).filter(|_| self.is_from_sidecar) {
            let mut restraint = cluster.admission.borrow_mut();
            restraint.hear(attempt.picked.id, rate, self.now_ns);
        }
        attempt.picked.on_headers(worker, cluster, self.now_ns);
        if let Some(call) = &attempt.call {
            call.on_headers(worker, cluster, self.now_ns);
        }
        let ending = attempt.ending;
        self.foresee_headers();
        Some((ending, asked))
    }

    /// The attempt ended without an answer.
    pub(crate) fn failed(&mut self, ending: Ending, reason: Reason) -> Course {
        self.now_ns = self.worker.clock.now_ns();
        if let Some(attempt) = &mut self.current {
            attempt.ending = ending;
        }
        let delay_ns = self.decide(ending, Asked::default());
        self.settle();
        let refusal = self.refusal_of(reason);
        match delay_ns {
            Some(delay_ns) => {
                self.failure = Some(refusal);
                Course::Retry { delay_ns }
            }
            None => Course::Refuse(self.given_up(refusal)),
        }
    }

    /// The attempt's time was over before its response headers came.
    pub(crate) fn expired(&mut self) -> Course {
        match self.headers_by().map(|by| by.ending) {
            Some(Ending::PerTryTimeout) => {
                self.failed(Ending::PerTryTimeout, Reason::TimeoutPerTry)
            }
            Some(ending) => self.failed(ending, Reason::TimeoutRequest),
            None => self.failed(Ending::ClientLeft, Reason::TimeoutRequest),
        }
    }

    /// The refusal that stands for the last attempt, when it is not to be tried again after all.
    pub(crate) fn take_failure(&mut self) -> Refusal {
        self.tries.refund();
        self.failure
            .take()
            .unwrap_or(Refusal::new(Reason::UpstreamReset))
    }

    /// The last reading of the clock, as the calendar has it.
    pub(super) fn unix_ns(&self) -> u64 {
        self.worker.moment(self.now_ns).unix_ns
    }

    pub(super) fn config(&self) -> Option<&crate::config::Cluster> {
        self.route.as_ref().map(|route| &*route.cluster.config)
    }

    /// A refusal for this reason; timeouts name the policy that set them.
    pub(super) fn refusal_of(&self, reason: Reason) -> Refusal {
        let is_timeout = matches!(
            reason,
            Reason::TimeoutRequest
                | Reason::TimeoutPerTry
                | Reason::TimeoutConnect
                | Reason::TimeoutIdle
        );
        let timeouts = self.config().and_then(|config| config.timeouts.as_ref());
        let policy = timeouts
            .filter(|_| is_timeout)
            .and_then(|block| block.policy.clone());
        Refusal::new(reason).by(policy)
    }

    /// A failure as the caller is told of it: under the reason for which it was not tried again.
    pub(super) fn given_up(&self, refusal: Refusal) -> Refusal {
        let Some(reason) = self.tries.reason() else {
            return refusal;
        };
        let policy = self.config().and_then(retry::policy_of);
        Refusal {
            last: Some(refusal.reason),
            ..Refusal::new(reason).by(policy)
        }
    }

    /// Whether the attempt is made again, and after how long. Marks the inbound requests of a call given up.
    fn decide(&mut self, ending: Ending, asked: Asked) -> Option<u64> {
        let cluster = Rc::clone(&self.route.as_ref()?.cluster);
        let delay_ns = match (&cluster.config.retry, &cluster.budget) {
            (Some(block), Some(budget)) if retry::concerns(&block.params, &ending, &asked) => {
                let standing = self.standing(&cluster);
                let draw = self.worker.chance.draw();
                self.tries
                    .decide(&block.params, budget, ending, asked, standing, draw)
            }
            _ => None,
        };
        if self.foreseen.is_some() {
            let standing = self.standing(&cluster);
            self.foresee_retry(ending, asked, standing, delay_ns.is_some());
        }
        self.tries.note_end(ending);
        let is_given_up = self.tries.is_exhausted() || asked.is_exhausted;
        if let Some(key) = self.key.filter(|_| is_given_up) {
            self.worker.across.mark_exhausted(key);
        }
        delay_ns
    }

    fn standing(&self, cluster: &Cluster) -> Standing {
        let recent = cluster.recent.as_ref();
        let current = self.current.as_ref();
        Standing {
            left_ns: self.deadline.map(|deadline| deadline.left_ns(self.now_ns)),
            p50_ns: recent.and_then(|recent| recent.borrow_mut().p50_ns(self.now_ns)),
            has_another_endpoint: current.is_some_and(|attempt| attempt.picked.has_another()),
            now_ns: self.now_ns,
        }
    }

    /// Ends the attempt with what it came to.
    pub(super) fn settle(&mut self) {
        let Some(mut attempt) = self.current.take() else {
            return;
        };
        self.foresee_end(&mut attempt);
        self.end_span(&attempt);
        let Some(route) = &self.route else { return };
        let (worker, cluster, now_ns) = (&self.worker, &route.cluster, self.now_ns);
        let latency_ns = now_ns.saturating_sub(attempt.began_ns);
        self.record.upstream_ns = latency_ns;
        let ending = attempt.ending;
        if let Some(call) = attempt.call.take_if(|_| attempt.is_overload) {
            call.settle_overload(worker, cluster, now_ns);
        }
        if let Some(call) = attempt.call {
            let outcome = breaker::outcome(&cluster.config, false, &ending);
            call.settle(worker, cluster, outcome, latency_ns, now_ns);
        }
        let answered_ns = attempt.headers_ns.unwrap_or(now_ns);
        let has_failed = peer::has_failed(&ending);
        self.has_succeeded = admission::has_succeeded(&ending, has_failed);
        let settlement = Settlement {
            outcome: breaker::outcome(&cluster.config, true, &ending),
            signal: endpoint::signal(&cluster.config, &ending),
            latency_ns,
            load_ns: answered_ns.saturating_sub(attempt.began_ns),
            has_failed,
            retry_after_ns: attempt.retry_after_ns,
        };
        attempt.picked.settle(worker, cluster, settlement, now_ns);
        let headers_ns = attempt.headers_ns.filter(|_| !self.is_stream);
        self.application_ns = headers_ns.map(|at_ns| at_ns.saturating_sub(attempt.began_ns));
        let result = AttemptResult::of(&ending, has_failed);
        if result.tells_latency() {
            let latency_ns = answered_ns.saturating_sub(attempt.began_ns);
            cluster.limits.note_latency(latency_ns, now_ns);
        }
        self.record.flight.tally().count_attempt(result);
        if let (AttemptResult::Success, Some(recent)) = (result, &cluster.recent) {
            recent.borrow_mut().record(latency_ns, now_ns);
        }
    }
}
