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

mod admission;
mod attempts;
mod body;
mod edits;
mod end;
mod fall_back;
mod foresee;
mod hedging;
mod limits;
mod peer;
mod routing;
mod spans;

use std::net::SocketAddr;
use std::rc::Rc;

use fall_back::Fallen;
use policy::Reason;
use policy::bulkhead::{Claim, Flow};
use policy::deadline::Deadline;
use policy::ending::Ending;
use policy::grpc::Code;
use spans::Spans;

use crate::across::Hop;
use crate::front;
use crate::gate::Permit;
use crate::live::Cluster;
use crate::report::Direction;
use crate::request::Request;
use crate::stages::backpressure::shadow::Shadow;
use crate::stages::endpoint::{Affinity, Picked};
use crate::stages::fault::Injected;
use crate::stages::mirror::Due;
use crate::stages::rate_limit::throttle::Throttle;
use crate::stages::rate_limit::{Charges, Quota};
use crate::stages::record::Record;
use crate::stages::retry::Tries;
use crate::stages::shadow::{self, Foreseen};
use crate::stages::timeout::Traits;
use crate::stages::{Refusal, breaker, route};
use crate::trace::Key;
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

    fn is_outbound(&self) -> bool {
        self.record.direction == Direction::Outbound
    }

    /// The last reading of the clock.
    pub(crate) const fn now_ns(&self) -> u64 {
        self.now_ns
    }
}

#[cfg(test)]
mod tests;
