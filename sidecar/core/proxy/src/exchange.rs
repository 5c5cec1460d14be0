//! One request from its complete head to its last byte, in no protocol: every decision, every permit.
//!
//! A protocol's driver reads and writes; what to do it asks here. The calls, in order:
//!
//! 1. [`Exchange::begin`] when the request's head is complete, then [`Exchange::admit`]: route, deadline, limits,
//!    bulkhead. It may wait, within the deadline, so drive it beside a watch over the client.
//! 2. [`Exchange::attempt`]: a [`Destination`] to connect to and send to, with the head edited by
//!    [`Exchange::edit_request`]. The attempt has until [`Exchange::headers_by_ns`].
//! 3. The attempt's response head: [`Exchange::answered`]. Or none: [`Exchange::failed`] with how it ended, or
//!    [`Exchange::expired`] when its time was over. Both say what next:
//!    - [`Course::Deliver`]: pass the answer on, its head edited by [`Exchange::edit_response`].
//!    - [`Course::Retry`]: wait so long, then call [`Exchange::retry`] for the next destination; if that refuses,
//!      the answer at hand (or, without one, the refusal) goes back.
//!    - [`Course::Refuse`]: answer with [`Exchange::refuse`].
//! 4. The body, within [`Exchange::body_bounds`]; [`Exchange::note_body`] as request bytes come.
//! 5. [`Exchange::finish`] with how it ended.
//!
//! Dropping an exchange at any point, also by a panic, returns whatever it holds, uncounted, exactly once, and records
//! the request as cancelled by its client.

use std::net::SocketAddr;
use std::rc::Rc;

use http1::Known;
use policy::deadline::{Bounds, Deadline};
use policy::ending::{Ending, may_succeed_elsewhere};
use policy::grpc::Code;
use policy::{Outcome, Reason};
use smallvec::SmallVec;

use crate::across::Hop;
use crate::gate::Permit;
use crate::live::Cluster;
use crate::report::Direction;
use crate::request::{Edit, Request, Response};
use crate::stages::endpoint::{Picked, Settlement};
use crate::stages::rate_limit::Quota;
use crate::stages::record::Record;
use crate::stages::rescue::{self, Answer, Taste};
use crate::stages::retry::{Asked, EXHAUSTED, Standing, Tries};
use crate::stages::timeout::{self, BodyBounds, HeadersBy, Traits};
use crate::stages::{Refusal, breaker, bulkhead, deadline, retry, route};
use crate::tally::{AttemptResult, Flight};
use crate::trace::{Key, Trace, hex};
use crate::worker::{Entry, Worker};

/// One request.
#[derive(Debug)]
pub(crate) struct Exchange {
    worker: Rc<Worker>,
    record: Record,
    taste: Taste,
    traits: Traits,
    route: Option<route::Route>,
    deadline: Option<Deadline>,
    quota: Quota,
    bulkhead: Option<Permit>,
    /// The place among a capped cluster's connections; kept from attempt to attempt.
    pub(crate) connection: Option<Permit>,
    tries: Tries,
    current: Option<Attempt>,
    /// The endpoint tried last.
    tried: Option<u64>,
    /// What the last attempt failed with, when it brought no answer.
    failure: Option<Refusal>,
    /// Where an inbound request's calls find it; of an outbound one, where it looks.
    hop: Option<Hop>,
    key: Option<Key>,
    /// Whether the answer at hand came through a sidecar, whose marks are believed.
    is_from_sidecar: bool,
    is_stream: bool,
    is_recorded: bool,
}

/// One attempt under way.
#[derive(Debug)]
struct Attempt {
    picked: Picked,
    call: Option<breaker::Call>,
    began_ns: u64,
    headers_ns: Option<u64>,
    retry_after_ns: Option<u64>,
    ending: Ending,
}

/// Where an attempt goes.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) address: SocketAddr,
    pub(crate) pool: Rc<crate::h1::Pool>,
    pub(crate) cluster: Rc<Cluster>,
}

/// What is to be done after an attempt.
#[derive(Debug)]
pub(crate) enum Course {
    /// Pass its answer on.
    Deliver,
    /// Make another one after so long.
    Retry { delay_ns: u64 },
    /// Answer with this.
    Refuse(Refusal),
}

/// How an exchange ended once its answer had begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With its last byte; `code` is the gRPC status of the trailers.
    Complete { code: Option<Code> },
    /// The upstream ended or broke the body.
    Truncated,
    /// The client left.
    ClientLeft,
    /// Out of time, for this reason.
    TimedOut(Reason),
}

impl Exchange {
    /// Begins at the moment the request's head is complete.
    pub(crate) fn begin(worker: &Rc<Worker>, entry: &Entry, request: &dyn Request) -> Self {
        let now_ns = worker.clock.now_ns();
        let direction = entry.direction();
        let tries = Tries::new(request);
        let request_id = request.known(Known::XRequestId).unwrap_or_default();
        let record = Record {
            direction,
            service: None,
            flight: Flight::begin(&worker.tally(direction, None), now_ns),
            method: tries.method(),
            protocol: request.protocol(),
            started_ns: now_ns,
            trace: Trace::of(request, &worker.chance),
            request_id: SmallVec::from_slice(request_id),
            status: 0,
            code: None,
            reason: None,
            policy: None,
            limit: None,
            attempts: 0,
            upstream: None,
            bytes_in: 0,
            bytes_out: 0,
            queue_ns: 0,
            upstream_ns: 0,
        };
        let mut exchange = Self {
            worker: Rc::clone(worker),
            record,
            taste: Taste::of(request),
            traits: Traits::of(request),
            route: None,
            deadline: None,
            quota: Quota::default(),
            bulkhead: None,
            connection: None,
            tries,
            current: None,
            tried: None,
            failure: None,
            hop: None,
            key: None,
            is_from_sidecar: false,
            is_stream: false,
            is_recorded: false,
        };
        if direction == Direction::Outbound {
            exchange.key = Key::of_call(request, &worker.across.hasher);
        }
        exchange
    }

    /// Takes the request through the stages before its attempts.
    pub(crate) async fn admit(
        &mut self,
        entry: &Entry,
        request: &dyn Request,
    ) -> Result<(), Refusal> {
        let now_ns = self.record.started_ns;
        let bounds = deadline::read(request, self.inherited_ns(now_ns))?;
        let worker = Rc::clone(&self.worker);
        let left_ns = deadline::left_ns(&bounds);
        let route = route::find(&worker, entry, request, left_ns).await?;
        let cluster = Rc::clone(&route.cluster);
        self.follow(route, request);
        self.fix_deadline(bounds, &cluster, now_ns)?;
        let now_ns = self.worker.clock.now_ns();
        cluster.limits.admit(request, now_ns, &mut self.quota)?;
        self.bulkhead = bulkhead::enter(&cluster, self.deadline, now_ns).await?;
        if let Some(budget) = &cluster.budget {
            budget.borrow_mut().deposit(self.worker.clock.now_ns());
        }
        Ok(())
    }

    /// What is left of the inbound request that an outbound one serves.
    fn inherited_ns(&self, now_ns: u64) -> Option<u64> {
        let at_ns = self.worker.across.deadline_ns(self.key?)?;
        Some(at_ns.saturating_sub(now_ns))
    }

    fn follow(&mut self, route: route::Route, request: &dyn Request) {
        let cluster = &route.cluster;
        self.record.service = Some(cluster.config.service.clone());
        self.record.flight = Flight::begin(&cluster.tally, self.record.started_ns);
        self.tries.read_contract(&cluster.config, request);
        self.route = Some(route);
    }

    fn fix_deadline(
        &mut self,
        bounds: Bounds,
        cluster: &Cluster,
        now_ns: u64,
    ) -> Result<(), Refusal> {
        let policy_ns = cluster.timeouts.request.map(crate::clock::nanoseconds);
        self.deadline = deadline::fix(bounds, policy_ns, now_ns)?;
        if self.record.direction == Direction::Inbound {
            let deadline_ns = self.deadline.map(|deadline| deadline.at_ns());
            self.hop = self.worker.across.enter(self.keys(), deadline_ns);
        }
        Ok(())
    }

    /// Every key that the calls of an inbound request may carry.
    fn keys(&self) -> SmallVec<[Key; 2]> {
        let hasher = &self.worker.across.hasher;
        let request_id = match self.record.trace.new_request_id {
            Some(id) => Key::of_id(&hex(id), hasher),
            None => Key::of_id(&self.record.request_id, hasher),
        };
        SmallVec::from_buf([Key::Trace(self.record.trace.id), request_id])
    }

    /// Begins the first attempt.
    pub(crate) fn attempt(&mut self) -> Result<Destination, Refusal> {
        let now_ns = self.worker.clock.now_ns();
        self.record.queue_ns = now_ns.saturating_sub(self.record.started_ns);
        self.begin_attempt(now_ns)
    }

    /// Begins the attempt that was decided on. Refused, it costs no budget, and what was to be retried goes back.
    pub(crate) fn retry(&mut self) -> Result<Destination, Refusal> {
        let begun = self.begin_attempt(self.worker.clock.now_ns());
        if begun.is_ok() {
            self.tries.use_spent();
            return begun;
        }
        self.tries.refund();
        begun.map_err(|refused| self.failure.take().unwrap_or(refused))
    }

    fn begin_attempt(&mut self, now_ns: u64) -> Result<Destination, Refusal> {
        let Some(route) = self.route.clone() else {
            return Err(Refusal::new(Reason::RouteNone));
        };
        let cluster = route.cluster;
        let call = breaker::admit(&self.worker, &cluster, now_ns)?;
        let picked = route
            .endpoints
            .pick(&self.worker, &cluster, self.tried, now_ns)?;
        let destination = Destination {
            address: picked.address,
            pool: Rc::clone(&picked.pool),
            cluster,
        };
        self.tried = Some(picked.id);
        self.tries.begun += 1;
        self.record.attempts = self.tries.begun;
        self.record.upstream = Some(picked.address);
        self.current = Some(Attempt {
            picked,
            call,
            began_ns: now_ns,
            headers_ns: None,
            retry_after_ns: None,
            ending: Ending::ClientLeft,
        });
        Ok(destination)
    }

    /// Until when the attempt waits for response headers.
    pub(crate) fn headers_by_ns(&self) -> Option<u64> {
        self.headers_by().map(|by| by.at_ns)
    }

    fn headers_by(&self) -> Option<HeadersBy> {
        let cluster = &self.route.as_ref()?.cluster;
        let began_ns = self.current.as_ref()?.began_ns;
        timeout::headers_by(&cluster.timeouts, self.deadline, began_ns)
    }

    /// Whether the attempt may be made again for free: its pooled connection was closed before a byte came back.
    pub(crate) fn take_free(&mut self) -> bool {
        let retry = self
            .route
            .as_ref()
            .and_then(|route| route.cluster.config.retry.as_ref());
        let replay_bytes = retry.map_or(0, |block| block.params.params.replay_bytes);
        self.tries.take_free(replay_bytes)
    }

    /// Largest request body that is kept to be sent again; zero when nothing will be.
    pub(crate) fn replay_bytes(&self) -> u64 {
        let retry = self
            .route
            .as_ref()
            .and_then(|route| route.cluster.config.retry.as_ref());
        retry.map_or(0, |block| match block.params.params.attempts {
            0 => 0,
            _ => block.params.params.replay_bytes,
        })
    }

    /// Notes how long the request's body is, as far as known before it is read.
    pub(crate) fn note_body_length(&mut self, body_bytes: u64) {
        self.tries.note_body(body_bytes);
    }

    /// Notes how many bytes of the request's body came by now.
    pub(crate) fn note_body(&mut self, body_bytes: u64) {
        self.record.bytes_in = self.record.bytes_in.max(body_bytes);
        self.tries.note_body(body_bytes);
    }

    /// An interim answer was passed on: from now on nothing is tried again.
    pub(crate) const fn note_passed_on(&mut self) {
        self.tries.is_passed_on = true;
    }

    /// The attempt's response head is there.
    pub(crate) fn answered(&mut self, response: &dyn Response) -> Course {
        let now_ns = self.worker.clock.now_ns();
        self.failure = None;
        self.record.status = response.status();
        let Some(attempt) = &mut self.current else {
            return Course::Deliver;
        };
        let Some(route) = &self.route else {
            return Course::Deliver;
        };
        let from_sidecar = attempt.picked.has_sidecar;
        self.is_from_sidecar = from_sidecar;
        let asked = Asked::read(response, from_sidecar);
        attempt.headers_ns = Some(now_ns);
        attempt.retry_after_ns = asked.retry_after_ns;
        attempt.ending = ending_of(response, from_sidecar, self.traits.is_grpc);
        if let Ending::Response { code, .. } = attempt.ending {
            self.record.code = code;
        }
        attempt
            .picked
            .on_headers(&self.worker, &route.cluster, now_ns);
        if let Some(call) = &attempt.call {
            call.on_headers(&self.worker, &route.cluster, now_ns);
        }
        self.is_stream = timeout::is_stream(&self.traits, response);
        if self.is_stream
            && let Some(hop) = &self.hop
        {
            hop.withhold_deadline();
        }
        let ending = attempt.ending;
        match self.decide(ending, asked, now_ns) {
            Some(delay_ns) => {
                self.settle(now_ns);
                Course::Retry { delay_ns }
            }
            None => Course::Deliver,
        }
    }

    /// The attempt ended without an answer.
    pub(crate) fn failed(&mut self, ending: Ending, reason: Reason) -> Course {
        let now_ns = self.worker.clock.now_ns();
        if let Some(attempt) = &mut self.current {
            attempt.ending = ending;
        }
        let delay_ns = self.decide(ending, Asked::default(), now_ns);
        self.settle(now_ns);
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

    /// The attempt found no place among the cluster's connections: it was not made.
    pub(crate) fn withdraw(&mut self) -> Refusal {
        self.current = None;
        self.tries.begun -= 1;
        self.record.attempts = self.tries.begun;
        let pool = self
            .route
            .as_ref()
            .and_then(|route| route.cluster.config.pool.as_ref());
        Refusal::new(Reason::BulkheadConnections).by(pool.and_then(|block| block.policy.clone()))
    }

    /// The refusal that stands for the last attempt, when it is not to be tried again after all.
    pub(crate) fn take_failure(&mut self) -> Refusal {
        self.tries.refund();
        self.failure
            .take()
            .unwrap_or(Refusal::new(Reason::UpstreamReset))
    }

    fn refusal_of(&self, reason: Reason) -> Refusal {
        let config = self.route.as_ref().map(|route| &route.cluster.config);
        let is_timeout = matches!(
            reason,
            Reason::TimeoutRequest
                | Reason::TimeoutPerTry
                | Reason::TimeoutConnect
                | Reason::TimeoutIdle
        );
        let timeouts = config
            .and_then(|config| config.timeouts.as_ref())
            .filter(|_| is_timeout);
        Refusal::new(reason).by(timeouts.and_then(|block| block.policy.clone()))
    }

    /// A failure as the caller is told of it: under the reason for which it was not tried again.
    fn given_up(&self, refusal: Refusal) -> Refusal {
        let Some(reason) = self.tries.reason() else {
            return refusal;
        };
        let config = self.route.as_ref().map(|route| &route.cluster.config);
        Refusal {
            last: Some(refusal.reason),
            ..Refusal::new(reason).by(config.and_then(|config| retry::policy_of(config)))
        }
    }

    /// Whether the attempt is made again, and after how long. Marks the inbound requests of a call given up.
    fn decide(&mut self, ending: Ending, asked: Asked, now_ns: u64) -> Option<u64> {
        let cluster = Rc::clone(&self.route.as_ref()?.cluster);
        let delay_ns = match (&cluster.config.retry, &cluster.budget) {
            (Some(block), Some(budget)) => {
                let standing = self.standing(&cluster, now_ns);
                let draw = self.worker.chance.draw();
                self.tries
                    .decide(&block.params, budget, ending, asked, standing, draw)
            }
            _ => None,
        };
        let has_failed = !matches!(
            ending,
            Ending::Response {
                status: ..500,
                code: None | Some(Code::Ok)
            }
        );
        if (self.tries.given_up.is_some() || asked.is_exhausted)
            && has_failed
            && let Some(key) = self.key
        {
            self.worker.across.mark_exhausted(key);
        }
        delay_ns
    }

    fn standing(&self, cluster: &Cluster, now_ns: u64) -> Standing {
        let recent = cluster.recent.as_ref();
        Standing {
            left_ns: self.deadline.map(|deadline| deadline.left_ns(now_ns)),
            p50_ns: recent.and_then(|recent| recent.borrow_mut().p50_ns(now_ns)),
            has_another_endpoint: self
                .current
                .as_ref()
                .is_some_and(|at| at.picked.has_another()),
            now_ns,
        }
    }

    /// Ends the attempt with what it came to.
    fn settle(&mut self, now_ns: u64) {
        let (Some(attempt), Some(route)) = (self.current.take(), &self.route) else {
            return;
        };
        let (worker, cluster) = (&self.worker, &route.cluster);
        let Attempt {
            picked,
            call,
            began_ns,
            headers_ns,
            retry_after_ns,
            ending,
        } = attempt;
        let latency_ns = now_ns.saturating_sub(began_ns);
        self.record.upstream_ns = latency_ns;
        let of_endpoint = breaker::outcome(&cluster.config, true, &ending);
        let of_service = breaker::outcome(&cluster.config, false, &ending);
        let has_failed = failed_by_default(&ending);
        if let Some(call) = call {
            call.settle(worker, cluster, of_service, latency_ns, now_ns);
        }
        let load_ns = headers_ns.map_or(latency_ns, |at_ns| at_ns.saturating_sub(began_ns));
        let settlement = Settlement {
            outcome: of_endpoint,
            latency_ns,
            load_ns,
            has_failed,
            retry_after_ns,
        };
        picked.settle(worker, cluster, settlement, now_ns);
        let result = AttemptResult::of(&ending, has_failed);
        cluster.tally.count_attempt(result);
        if let (AttemptResult::Success, Some(recent)) = (result, &cluster.recent) {
            recent.borrow_mut().record(latency_ns, now_ns);
        }
    }

    /// Edits the head of the request that goes upstream.
    pub(crate) fn edit_request(&self, request: &dyn Request, edit: &mut dyn Edit) {
        edit.remove_internal();
        let now_ns = self
            .current
            .as_ref()
            .map_or(self.record.started_ns, |at| at.began_ns);
        deadline::hand_on(self.deadline, request, now_ns, edit);
        if self.record.direction == Direction::Outbound {
            edit.add(route::VIA, &route::via(&self.worker, request));
        }
        if self.record.trace.is_begun {
            edit.set(Known::Traceparent, &self.record.trace.header());
        }
        if let Some(id) = self.record.trace.new_request_id {
            edit.set(Known::XRequestId, &hex(id));
        }
    }

    /// Edits the head of the answer that goes downstream.
    pub(crate) fn edit_response(&mut self, response: &dyn Response, edit: &mut dyn Edit) {
        if !self.is_from_sidecar {
            edit.remove_internal();
            if response
                .known(Known::ProxyStatus)
                .is_some_and(route::is_ours)
            {
                edit.remove(Known::ProxyStatus);
            }
        }
        self.quota.tell(edit);
        self.mark(response.status(), edit);
        if let Some(reason) = self.tries.reason() {
            let refusal = self.given_up(Refusal::new(reason));
            let refusal = Refusal {
                last: None,
                ..refusal
            };
            edit.add(
                Known::ProxyStatus.as_str(),
                rescue::proxy_status(&refusal).as_bytes(),
            );
            self.record.blame(&refusal);
        } else if let Some(reason) = self.peer_reason(response) {
            self.record.reason = Some(reason);
        }
    }

    /// The reason of a peer's own answer, which is what became of this request too.
    fn peer_reason(&self, response: &dyn Response) -> Option<Reason> {
        let word = route::peer_reason(response.known(Known::ProxyStatus))?;
        Reason::parse(word).filter(|_| self.is_from_sidecar)
    }

    /// Says how many attempts there were, and that whoever called should not start over.
    fn mark(&self, status: u16, edit: &mut dyn Edit) {
        if self.record.attempts > 1 {
            let mut digits = itoa::Buffer::new();
            edit.set(
                Known::BreakwaterAttempts,
                digits.format(self.record.attempts).as_bytes(),
            );
        }
        if self.is_exhausted(status) {
            edit.set(Known::BreakwaterRetry, EXHAUSTED);
        }
    }

    /// Whether this answer, or the call behind it, was retried in vain.
    fn is_exhausted(&self, status: u16) -> bool {
        let has_failed = status >= 500 || self.record.code.is_some_and(|code| code != Code::Ok);
        let is_marked = self.hop.as_ref().is_some_and(Hop::is_exhausted);
        self.tries.given_up.is_some() || (is_marked && has_failed)
    }

    /// What bounds the answer's body.
    pub(crate) fn body_bounds(&self) -> BodyBounds {
        let now_ns = self.worker.clock.now_ns();
        self.route
            .as_ref()
            .map_or_else(BodyBounds::default, |route| {
                timeout::body_bounds(
                    &route.cluster.timeouts,
                    self.deadline,
                    self.is_stream,
                    now_ns,
                )
            })
    }

    /// The answer to a refusal. What it holds is given back now; finish when the answer is written.
    pub(crate) fn refuse(&mut self, refusal: Refusal) -> Answer {
        self.current = None;
        self.bulkhead = None;
        self.connection = None;
        self.record.refuse(&refusal, self.traits.is_grpc);
        let mut answer = rescue::answer(&refusal, self.taste, &self.worker.chance);
        self.quota.tell(&mut answer);
        self.mark(refusal.http_status(), &mut answer);
        answer
    }

    /// The exchange ended, `bytes_out` bytes of body after its answer began.
    pub(crate) fn finish(mut self, end: End, bytes_out: u64) {
        let now_ns = self.worker.clock.now_ns();
        self.record.bytes_out = bytes_out;
        self.end_attempt(end);
        self.settle(now_ns);
        match end {
            End::Complete { .. } => {}
            End::Truncated => self.record.blame(&Refusal::new(Reason::UpstreamReset)),
            End::ClientLeft => self.record.blame(&Refusal::new(Reason::ClientCancelled)),
            End::TimedOut(reason) => self.record.blame(&self.refusal_of(reason)),
        }
        self.close(now_ns);
    }

    fn end_attempt(&mut self, end: End) {
        let deadline = self.deadline;
        let Some(attempt) = &mut self.current else {
            return;
        };
        match (end, &mut attempt.ending) {
            (
                End::Complete {
                    code: Some(trailing),
                },
                Ending::Response { code, .. },
            ) => {
                *code = Some(trailing);
                self.record.code = Some(trailing);
            }
            (End::Truncated, ending) => *ending = Ending::Truncated,
            (End::TimedOut(Reason::TimeoutRequest), ending) if !self.is_stream => {
                *ending = deadline.map_or(Ending::RequestTimeout, timeout::deadline_ending);
            }
            _ => {}
        }
    }

    fn close(&mut self, now_ns: u64) {
        self.is_recorded = true;
        self.record.close(&self.worker, now_ns);
    }
}

/// Whoever drops an exchange before its end does so because the client left.
impl Drop for Exchange {
    fn drop(&mut self) {
        if self.is_recorded {
            return;
        }
        if let (Some(_), Some(route)) = (&self.current, &self.route) {
            route.cluster.tally.count_attempt(AttemptResult::Cancelled);
        }
        if self.record.status == 0 {
            self.record
                .refuse(&Refusal::new(Reason::ClientCancelled), self.traits.is_grpc);
        }
        self.record.blame(&Refusal::new(Reason::ClientCancelled));
        let now_ns = self.worker.clock.now_ns();
        self.close(now_ns);
    }
}

/// How an attempt that was answered ended, unless its body tells otherwise.
fn ending_of(response: &dyn Response, from_sidecar: bool, is_grpc: bool) -> Ending {
    let proxy_status = response.known(Known::ProxyStatus).filter(|_| from_sidecar);
    if let Some(word) =
        route::peer_reason(proxy_status).filter(|word| !has_reached_application(word))
    {
        return Ending::PeerRefusal {
            elsewhere: may_succeed_elsewhere(word),
        };
    }
    let code = response.known(Known::GrpcStatus).filter(|_| is_grpc);
    Ending::Response {
        status: response.status(),
        code: code.map(Code::from_status_field),
    }
}

/// Whether a peer that answers with this reason had called its application already.
fn has_reached_application(word: &str) -> bool {
    matches!(word, "upstream.reset" | "upstream.protocol")
        || word.starts_with("timeout.") && word != "timeout.connect"
        || word.starts_with("retry.")
}

/// Whether an attempt counts as failed where no breaker says what failures are.
fn failed_by_default(ending: &Ending) -> bool {
    thread_local! {
        static FAILURES: policy::condition::Conditions = policy::ending::default_failures();
    }
    FAILURES.with(|failures| ending.outcome(failures) == Outcome::Failure)
}
