//! One request from its complete head to its last byte, in no protocol: every decision, every permit.
//!
//! A protocol's driver reads and writes; what to do it asks here. The calls, in order:
//!
//! 1. [`Exchange::begin`] when the request's head is complete, then [`Exchange::admit`]: route, deadline, limits,
//!    backpressure, bulkhead. It may wait, within the deadline, so drive it beside a watch over the client.
//! 2. [`Exchange::attempt`]: a [`Destination`] to connect to and send to, with the head edited by
//!    [`Exchange::edit_request`]. The attempt has until [`Exchange::headers_by_ns`]; where its connection took a
//!    wait, [`Exchange::note_connected`] comes before that. Where the cluster's connections are capped,
//!    [`Exchange::connection`] holds the place of the one in use; [`Exchange::withdraw`] says what to answer when
//!    there is none. From here on `series` makes the calls, until an answer is to be passed on or a refusal.
//! 3. The attempt's response head: [`Exchange::answered`]. Or none: [`Exchange::failed`] with how it ended, or
//!    [`Exchange::expired`] when its time was over. Each says what next:
//!    - [`Course::Deliver`]: pass the answer on, its head edited by [`Exchange::edit_response`].
//!    - [`Course::Retry`]: wait so long, then call [`Exchange::retry`] for the next destination; if that refuses,
//!      the answer at hand (or, without one, the refusal) goes back.
//!    - [`Course::Refuse`]: answer with what [`Exchange::refuse`] makes of it.
//!
//!    Where [`Exchange::hedge_at_ns`] names an instant, [`Exchange::hedge`] may by then give a second destination, asked
//!    beside the first: see `race`.
//! 4. The body, within [`Exchange::body_bounds`]; [`Exchange::note_body`] as request bytes come. Trailers are
//!    edited by [`Exchange::edit_trailers`].
//! 5. [`Exchange::finish`] with how it ended.
//!
//! Dropping an exchange at any point, also by a panic, returns whatever it holds, uncounted, exactly once, and records
//! the request as cancelled by its client.
//!
//! The clock is read when the head is complete, when an attempt ends or is answered, after waits, and at the end;
//! everything in between happens at the last reading.

mod attempts;
mod edits;
mod end;
mod fall_back;
mod foresee;
mod hedging;
mod peer;
mod spans;

use std::net::SocketAddr;
use std::rc::Rc;

use fall_back::Fallen;
use policy::bulkhead::{Claim, Flow};
use policy::deadline::{Bounds, Deadline};
use policy::ending::Ending;
use policy::grpc::Code;
use policy::{Criticality, Moment, Reason};
use smallvec::SmallVec;
use spans::Spans;

use crate::across::Hop;
use crate::clock::nanoseconds;
use crate::front;
use crate::gate::Permit;
use crate::live::Cluster;
use crate::report::Direction;
use crate::request::Request;
use crate::rules::Rule;
use crate::stages::backpressure::shadow::{Shadow, enter as enter_shadow};
use crate::stages::endpoint::{Affinity, Picked};
use crate::stages::fault::Injected;
use crate::stages::mirror::{self, Due, Duplicate, Fate, Kept};
use crate::stages::rate_limit::matching::Governed;
use crate::stages::rate_limit::throttle::{self, Throttle};
use crate::stages::rate_limit::{Admission, Charges, Limits, Quota};
use crate::stages::record::Record;
use crate::stages::retry::Tries;
use crate::stages::route::rule;
use crate::stages::shadow::{self, Foreseen};
use crate::stages::timeout::{self, BodyBounds, Traits};
use crate::stages::{Refusal, admission, backpressure, breaker, bulkhead, deadline, route};
use crate::tally::{Flight, Tally, increment};
use crate::trace::{Key, hex};
use crate::tunnel::Tunnel;
use crate::upstream::{InUse, Pools};
use crate::worker::{Entry, Worker};

/// One request.
#[derive(Debug)]
pub(crate) struct Exchange {
    worker: Rc<Worker>,
    /// The last reading of the clock.
    now_ns: u64,
    record: Record,
    traits: Traits,
    route: Option<route::Route>,
    deadline: Option<Deadline>,
    /// What rehearsals do to it.
    fault: Option<Box<Injected>>,
    quota: Quota,
    /// What the limits get back.
    charges: Option<Charges>,
    /// What holds up the bytes of the request's body, until the body's driver takes it, and of the answer's.
    pub(crate) upload: Option<Box<Throttle>>,
    pub(crate) download: Option<Box<Throttle>>,
    front: Option<front::Permit>,
    /// The same in shadow.
    shadow: Option<Shadow>,
    /// How long the application took, unless its answer streams.
    application_ns: Option<u64>,
    bulkhead: Option<Permit>,
    /// The place among a capped cluster's connections, kept from attempt to attempt; only in between where streams share a
    /// connection, and with it the place.
    pub(crate) connection: Option<InUse>,
    tries: Tries,
    affinity: Affinity,
    current: Option<Attempt>,
    /// A second attempt beside it.
    rival: Option<Box<hedging::Rival>>,
    /// The endpoint tried last.
    tried: Option<u64>,
    /// What the last attempt failed with, when it brought no answer.
    failure: Option<Refusal>,
    /// Where an inbound request's calls find it.
    hop: Option<Hop>,
    /// Where an outbound request looks for the inbound one that it serves.
    key: Option<Key>,
    /// Whether the answer at hand came through a sidecar, whose marks are believed.
    is_from_sidecar: bool,
    /// The failure that it is asked instead of.
    fallen: Option<Box<Fallen>>,
    /// Copies of the request that are to be made, until all of it is here.
    mirrors: Option<Box<Due>>,
    /// How it stands with the policies in shadow.
    foreseen: Option<Box<Foreseen>>,
    /// Whether the last attempt says that the service serves, or does not.
    has_succeeded: Option<bool>,
    /// What is told of it to where traces are kept, if its trace is recorded.
    spans: Option<Box<Spans>>,
    is_stream: bool,
    is_recorded: bool,
}

/// What holds up bytes, if anything does.
type Held = Option<Box<Throttle>>;

/// One attempt under way.
#[derive(Debug)]
struct Attempt {
    /// 1 is the original call.
    number: u32,
    /// The span it is sent under.
    span: u64,
    picked: Picked,
    /// Where the attempt before it went.
    before: Option<SocketAddr>,
    call: Option<breaker::Call>,
    began_ns: u64,
    headers_ns: Option<u64>,
    retry_after_ns: Option<u64>,
    ending: Ending,
    /// Whether a peer refused it for load.
    is_overload: bool,
    /// How it stands with the policies in shadow.
    foreseen: Option<Box<shadow::Attempt>>,
}

/// Where an attempt goes.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) address: SocketAddr,
    pub(crate) pools: Rc<Pools>,
    pub(crate) cluster: Rc<Cluster>,
    /// With whom it takes turns where connections are waited for: calls by the same route.
    pub(crate) flow: Flow,
    /// Whether it is told how its connection would stand with the pool in shadow.
    pub(crate) is_foreseen: bool,
}

impl Destination {
    /// Who asks for a connection to it.
    pub(crate) fn claim(&self) -> Claim {
        Claim {
            flow: self.flow,
            ..Claim::default()
        }
    }
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
        let is_outbound = entry.direction() == Direction::Outbound;
        let mut record = Record::of(request, worker, entry.direction(), now_ns);
        Self {
            now_ns,
            spans: Spans::begin(&mut record, worker, request),
            record,
            traits: Traits::of(request),
            route: None,
            deadline: None,
            fault: None,
            quota: Quota::default(),
            charges: None,
            upload: None,
            download: None,
            front: None,
            shadow: None,
            application_ns: None,
            bulkhead: None,
            connection: None,
            tries: Tries::new(request),
            affinity: Affinity::default(),
            current: None,
            rival: None,
            tried: None,
            failure: None,
            hop: None,
            key: is_outbound
                .then(|| Key::of_call(request, &worker.across.hasher))
                .flatten(),
            is_from_sidecar: false,
            fallen: None,
            mirrors: None,
            foreseen: None,
            has_succeeded: None,
            is_stream: false,
            is_recorded: false,
            worker: Rc::clone(worker),
        }
    }

    /// Takes the request through the stages before its attempts.
    pub(crate) async fn admit(
        &mut self,
        entry: &Entry,
        request: &dyn Request,
    ) -> Result<(), Refusal> {
        let bounds = deadline::read(request, self.inherited_ns(), self.elapsed_ns())?;
        let cluster = self.find_route(entry, request, &bounds).await?;
        if self.worker.spared.holds(entry, request) {
            return Ok(());
        }
        entry.admits()?;
        self.fault = self.draw_faults(&cluster, request);
        self.fix_deadline(bounds, &cluster)?;
        self.suffer_fault().await?;
        self.charge_limits(&cluster, request).await?;
        self.enter_front(request).await?;
        self.enter_shadow(request);
        self.admit_call(&cluster)?;
        self.enter_bulkhead(&cluster).await?;
        if let Some(budget) = &cluster.budget {
            budget.borrow_mut().deposit(self.now_ns);
        }
        if let Some(rule) = &self.record.rule {
            self.mirrors = Due::of(rule);
        }
        self.foresee(&cluster, request);
        Ok(())
    }

    /// Takes a connection, of whatever protocol, through the stages that are not about requests.
    pub(crate) async fn admit_connection(
        &mut self,
        entry: &Entry,
        request: &dyn Request,
    ) -> Result<(), Refusal> {
        entry.admits()?;
        let bounds = deadline::read(request, None, 0)?;
        let cluster = self.find_route(entry, request, &bounds).await?;
        self.admit_bytes(&cluster, request)?;
        if let Some(budget) = &cluster.budget {
            budget.borrow_mut().deposit(self.now_ns);
        }
        Ok(())
    }

    /// A tunnel for a connection, as fast as the limits let its bytes through.
    pub(crate) fn tunnel(&self, request: &dyn Request) -> Tunnel {
        let route = self.route.as_ref();
        let held = route.map(|route| self.throttles(&route.cluster, request));
        let (up, down) = held.unwrap_or_default();
        [&up, &down].into_iter().for_each(throttle::count);
        Tunnel::new(up, down)
    }

    /// What is left of the inbound request that an outbound one serves.
    fn inherited_ns(&self) -> Option<u64> {
        let at_ns = self.worker.across.deadline_ns(self.key?)?;
        Some(at_ns.saturating_sub(self.now_ns))
    }

    /// How much an outbound request matters: as much as the inbound one that it serves.
    fn class(&self) -> Criticality {
        let class = self.key.and_then(|key| self.worker.across.criticality(key));
        class.unwrap_or_default()
    }

    async fn find_route(
        &mut self,
        entry: &Entry,
        request: &dyn Request,
        bounds: &Bounds,
    ) -> Result<Rc<Cluster>, Refusal> {
        let worker = Rc::clone(&self.worker);
        let left_ns = deadline::left_ns(bounds);
        let (mut route, mut has_waited) = route::find(&worker, entry, request, left_ns).await?;
        let mut tally = None;
        if rule::governs(&route) {
            let rule = rule::of(&route, request).cloned();
            let followed = rule::follow(&worker, &route, rule.as_ref(), left_ns).await;
            if followed.is_err() {
                self.lead_nowhere(&route.cluster, rule);
            }
            let (found, counted, has_waited_more) = followed?;
            (route, has_waited) = (found, has_waited | has_waited_more);
            tally = Some(counted);
        }
        if let Some(entrances) = &route.cluster.entrances {
            route.entrance = entrances.find(request, &worker.namespace).cloned();
            if let Some(entrance) = &route.entrance {
                route.rule = Some(Rc::clone(&entrance.rule));
                tally = Some(Rc::clone(&entrance.tally));
            }
        }
        self.record.rule.clone_from(&route.rule);
        self.enter_cluster(&route.cluster, tally.as_ref());
        if has_waited {
            self.now_ns = worker.clock.now_ns();
        }
        let cluster = Rc::clone(&route.cluster);
        self.tries.read_contract(&cluster.config, request);
        self.affinity = Affinity::of(&cluster.config, request, || self.class()).to(entry.only());
        self.route = Some(route);
        Ok(cluster)
    }

    /// The request goes no further than to the service that was called, though a rule may have decided.
    fn lead_nowhere(&mut self, called: &Cluster, rule: Option<Rc<Rule>>) {
        let (direction, service) = (called.direction, &called.config.service);
        let accounts = &self.worker.accounts;
        let of_rule = |rule: &Rc<Rule>| accounts.of(direction, service, Some(&rule.label));
        let tally = rule.as_ref().map(of_rule);
        self.record.rule = rule;
        self.enter_cluster(called, tally.as_ref());
    }

    /// From now on the request is one to this service, counted there with those of its rule.
    fn enter_cluster(&mut self, cluster: &Cluster, of_rule: Option<&Rc<Tally>>) {
        self.record.service = Some(cluster.config.service.clone());
        let tally = of_rule.unwrap_or(&cluster.tally);
        self.record.flight = Flight::begin(tally, self.record.started_ns);
    }

    /// Fixes the deadline, counted from the request's head; lets the calls of an inbound request find it.
    fn fix_deadline(&mut self, bounds: Bounds, cluster: &Cluster) -> Result<(), Refusal> {
        let policy_ns = cluster.timeouts.request.map(nanoseconds);
        self.deadline = deadline::fix(bounds, policy_ns, self.record.started_ns)?;
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

    /// What rehearsals do to it: those of the service, and those of the one that was called where its rule led on.
    fn draw_faults(&self, cluster: &Cluster, request: &dyn Request) -> Option<Box<Injected>> {
        let route = self.route.as_ref()?;
        let draw = |cluster: &Cluster, way| {
            let governed = Governed { request, way };
            cluster.faults.draw(&self.worker, governed, self.now_ns)
        };
        let there = draw(cluster, route.way());
        match &route.called {
            None => there,
            Some(called) => Injected::both(draw(called, route.way_on()), there),
        }
    }

    /// Waits and fails as rehearsals have it. A delay ends with the deadline.
    async fn suffer_fault(&mut self) -> Result<(), Refusal> {
        let Some(fault) = &mut self.fault else {
            return Ok(());
        };
        self.record.would_refuse = fault.would_refuse.take();
        let (delay_ns, abort) = (fault.delay_ns, fault.abort.take());
        if delay_ns > 0 {
            let until_ns = self.now_ns.saturating_add(delay_ns);
            let by_ns = self.deadline.map(|deadline| deadline.at_ns());
            self.record.is_delayed = true;
            self.sleep_until(by_ns.map_or(until_ns, |by_ns| by_ns.min(until_ns)))
                .await;
            if by_ns.is_some_and(|by_ns| by_ns <= self.now_ns) {
                return Err(self.refusal_of(Reason::TimeoutRequest));
            }
        }
        abort.map_or(Ok(()), |refusal| Err(*refusal))
    }

    async fn sleep_until(&mut self, at_ns: u64) {
        let clock = self.worker.clock;
        tokio::time::sleep_until(clock.instant(at_ns)).await;
        self.now_ns = clock.now_ns();
    }

    /// Passes the limits, after a wait if one of them has a line.
    async fn charge_limits(
        &mut self,
        cluster: &Cluster,
        request: &dyn Request,
    ) -> Result<(), Refusal> {
        let left_ns = self.deadline.map(|deadline| deadline.left_ns(self.now_ns));
        let arrival = (self.worker.moment(self.now_ns), left_ns);
        self.admit_bytes(cluster, request)?;
        let admission = self.ask_limits(cluster, request, arrival)?;
        if let Some(refusal) = admission.would_refuse
            && self.record.would_refuse.is_none()
        {
            self.record.would_refuse = Some(Box::new(refusal));
        }
        if admission.would_wait {
            increment(&cluster.foretold.waits);
        }
        self.charges = admission.charges;
        let thin = self.fault.as_mut().and_then(|fault| fault.throttle.take());
        (self.upload, self.download) = self.throttles(cluster, request);
        self.download = Throttle::both(thin, self.download.take());
        if let Some(charges) = self.charges.as_mut().filter(|charges| charges.is_waiting()) {
            charges.turn(self.deadline).await?;
            self.now_ns = self.worker.clock.now_ns();
        }
        [&self.upload, &self.download]
            .into_iter()
            .for_each(throttle::count);
        Ok(())
    }

    /// Asks the limits of the service, and those of the one that was called where its rule led on.
    fn ask_limits(
        &mut self,
        cluster: &Cluster,
        request: &dyn Request,
        arrival: (Moment, Option<u64>),
    ) -> Result<Admission, Refusal> {
        let Some(route) = &self.route else {
            return Ok(Admission::default());
        };
        let (worker, quota) = (&self.worker, &mut self.quota);
        let way = route.way();
        let ask = |limits: &Limits, way, quota: &mut Quota| {
            limits.admit(worker, Governed { request, way }, arrival, quota)
        };
        let Some(called) = &route.called else {
            return ask(&cluster.limits, way, quota);
        };
        let here = ask(&called.limits, route.way_on(), quota).map_err(|refusal| {
            let there = Governed { request, way };
            cluster.limits.prolong(refusal, there, arrival.0)
        })?;
        Ok(here.and(ask(&cluster.limits, way, quota)?))
    }

    /// Asks whether the bytes of the request, and of its answer, have a place among those that limits tell apart.
    fn admit_bytes(&self, cluster: &Cluster, request: &dyn Request) -> Result<(), Refusal> {
        let Some(route) = &self.route else {
            return Ok(());
        };
        let ask = |cluster: &Cluster, way| {
            let governed = Governed { request, way };
            cluster.uploads.admit_bytes(&self.worker, governed)?;
            cluster.downloads.admit_bytes(&self.worker, governed)
        };
        ask(cluster, route.way())?;
        let called = route.called.as_ref();
        called.map_or(Ok(()), |called| ask(called, route.way_on()))
    }

    /// What holds up the bytes of the request's body, and of its answer's.
    fn throttles(&self, cluster: &Cluster, request: &dyn Request) -> (Held, Held) {
        let Some(route) = &self.route else {
            return (None, None);
        };
        let of = |cluster: &Cluster, way| {
            let governed = Governed { request, way };
            let throttle = |limits: &Limits| limits.throttle(&self.worker, governed);
            (throttle(&cluster.uploads), throttle(&cluster.downloads))
        };
        let (upload, download) = of(cluster, route.way());
        let Some(called) = &route.called else {
            return (upload, download);
        };
        let on = of(called, route.way_on());
        (Throttle::both(on.0, upload), Throttle::both(on.1, download))
    }

    /// Asks whether a call is kept back; an inbound request is none.
    fn admit_call(&self, cluster: &Cluster) -> Result<(), Refusal> {
        let Some(route) = self.route.as_ref().filter(|_| self.is_outbound()) else {
            return Ok(());
        };
        admission::admit(cluster, &route.endpoints, &self.worker.chance, self.now_ns)
    }

    fn is_outbound(&self) -> bool {
        self.record.direction == Direction::Outbound
    }

    async fn enter_front(&mut self, request: &dyn Request) -> Result<(), Refusal> {
        let Some(front) = self.route.as_ref().and_then(route::Route::front) else {
            return Ok(());
        };
        let (worker, deadline) = (Rc::clone(&self.worker), self.deadline);
        let arrival = backpressure::arrival(&worker, front, request, deadline);
        if let Some(hop) = &self.hop {
            hop.lend_criticality(arrival.class);
        }
        let (mut permit, has_waited) =
            backpressure::enter(&worker, front, &arrival, deadline, self.now_ns).await?;
        permit.hold_for(|| self.keys());
        self.front = Some(permit);
        if has_waited {
            self.now_ns = worker.clock.now_ns();
        }
        Ok(())
    }

    /// Enters what stands in shadow, unless a limit in shadow would have refused already.
    fn enter_shadow(&mut self, request: &dyn Request) {
        let Some(front) = self.route.as_ref().and_then(route::Route::shadow) else {
            return;
        };
        if self.record.would_refuse.is_some() {
            return;
        }
        let arrival = backpressure::arrival(&self.worker, front, request, self.deadline);
        match enter_shadow(front, &arrival, || self.keys(), self.now_ns) {
            Ok(shadow) => self.shadow = Some(shadow),
            Err(refusal) => self.record.would_refuse = Some(Box::new(refusal)),
        }
    }

    async fn enter_bulkhead(&mut self, cluster: &Cluster) -> Result<(), Refusal> {
        let Some(gate) = &cluster.bulkhead else {
            return Ok(());
        };
        let class = if gate.has_lanes() {
            self.class()
        } else {
            Criticality::default()
        };
        let (permit, has_waited) =
            bulkhead::enter(gate, cluster, class, self.deadline, self.now_ns).await?;
        self.bulkhead = Some(permit);
        if has_waited {
            self.now_ns = self.worker.clock.now_ns();
        }
        Ok(())
    }

    /// The last reading of the clock.
    pub(crate) const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Largest request body that is kept to be sent again; zero when nothing will be.
    pub(crate) fn replay_bytes(&self) -> u64 {
        let Some(config) = self.config() else {
            return 0;
        };
        let retry = config.retry.as_ref().map(|block| &block.params.params);
        let retried = retry.filter(|params| params.attempts > 0);
        let retried = retried.map_or(0, |params| params.replay_bytes);
        let copied = self.mirrors.as_ref().map_or(0, |_| mirror::BODY_BYTES);
        retried.max(self.kept_to_fall_back()).max(copied)
    }

    /// Whether copies of the request are to be made.
    pub(crate) const fn has_mirrors(&self) -> bool {
        self.mirrors.is_some()
    }

    /// Makes the copies that are due as soon as `kept` is all of the body, by what `copy` makes of it.
    pub(crate) fn mirror<B, C: Duplicate>(
        &mut self,
        kept: Kept<B>,
        copy: impl FnOnce(&Self, B) -> Option<C>,
    ) {
        let Some(due) = self.mirrors.take() else {
            return;
        };
        match kept {
            Kept::Coming => self.mirrors = Some(due),
            Kept::TooLong => due.give_up(Fate::TooLarge),
            Kept::Whole(body) => {
                if let Some(copy) = copy(self, body) {
                    due.send(&self.worker, &copy);
                }
            }
        }
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

    /// What bounds the answer's body.
    pub(crate) fn body_bounds(&self) -> BodyBounds {
        let Some(route) = &self.route else {
            return BodyBounds::default();
        };
        let timeouts = &route.cluster.timeouts;
        timeout::body_bounds(timeouts, self.deadline, self.is_stream, self.now_ns)
    }
}

#[cfg(test)]
mod tests;
