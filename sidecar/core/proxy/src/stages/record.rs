//! Record: every request is counted, once; refusals are remembered; the access log gets what its mode asks for.

mod line;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http1::Known;
use policy::Reason;
use policy::grpc::Code;
use policy::method::Method;
use smallvec::SmallVec;

use super::Refusal;
use super::shadow::Deeds;
use crate::config::{AccessLog, AccessLogMode};
use crate::name::{PolicyRef, ServiceName};
use crate::report::{Decision, Direction};
use crate::request::Request;
use crate::rules::Rule;
use crate::tally::{Ended, Flight};
use crate::trace::Trace;
use crate::worker::Worker;

/// What is known about one request by now.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) direction: Direction,
    pub(crate) service: Option<ServiceName>,
    /// The rule that led to the service.
    pub(crate) rule: Option<Rc<Rule>>,
    pub(crate) flight: Flight,
    pub(crate) method: Method,
    pub(crate) protocol: &'static str,
    pub(crate) started_ns: u64,
    pub(crate) trace: Trace,
    pub(crate) request_id: SmallVec<[u8; 36]>,
    pub(crate) status: u16,
    pub(crate) code: Option<Code>,
    pub(crate) reason: Option<Reason>,
    pub(crate) policy: Option<Arc<PolicyRef>>,
    pub(crate) limit: Option<Arc<str>>,
    /// How a policy in shadow would have refused it.
    pub(crate) would_refuse: Option<Box<Refusal>>,
    /// What else policies in shadow would have done to it.
    pub(crate) would_do: Deeds,
    /// What answered instead.
    pub(crate) fallback: Option<Box<str>>,
    /// Whether a rehearsal held it up.
    pub(crate) is_delayed: bool,
    pub(crate) attempts: u32,
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// From the request's start to its first attempt.
    pub(crate) queue_ns: u64,
    /// From the last attempt's start to its end.
    pub(crate) upstream_ns: u64,
}

impl Record {
    /// The beginning of a request's record.
    pub(crate) fn of(
        request: &dyn Request,
        worker: &Worker,
        direction: Direction,
        now_ns: u64,
    ) -> Self {
        let request_id = request.known(Known::XRequestId).unwrap_or_default();
        Self {
            method: Method::from_bytes(request.method()),
            protocol: request.protocol(),
            request_id: SmallVec::from_slice(request_id),
            ..Self::new(
                worker,
                direction,
                Trace::of(request, &worker.chance, worker.sampling.get()),
                now_ns,
            )
        }
    }

    /// The record of what was no request.
    pub(crate) fn of_malformed(
        worker: &Worker,
        direction: Direction,
        refusal: &Refusal,
        is_grpc: bool,
    ) -> Self {
        let trace = Trace::begin(&worker.chance);
        let mut record = Self::new(worker, direction, trace, worker.clock.now_ns());
        record.refuse(refusal, is_grpc);
        record
    }

    fn new(worker: &Worker, direction: Direction, trace: Trace, now_ns: u64) -> Self {
        Self {
            direction,
            service: None,
            rule: None,
            flight: Flight::begin(worker.accounts.unrouted(direction), now_ns),
            method: Method::Other,
            protocol: "",
            started_ns: now_ns,
            trace,
            request_id: SmallVec::new(),
            status: 0,
            code: None,
            reason: None,
            policy: None,
            limit: None,
            would_refuse: None,
            would_do: Deeds::default(),
            fallback: None,
            is_delayed: false,
            attempts: 0,
            upstream: None,
            bytes_in: 0,
            bytes_out: 0,
            queue_ns: 0,
            upstream_ns: 0,
        }
    }

    /// Notes a refusal as what became of the request.
    pub(crate) fn refuse(&mut self, refusal: &Refusal, is_grpc: bool) {
        self.status = if is_grpc { 200 } else { refusal.http_status() };
        self.code = is_grpc.then(|| refusal.grpc_code());
        self.blame(refusal);
    }

    /// Notes why an answer that was passed on is not what was hoped for.
    pub(crate) fn blame(&mut self, refusal: &Refusal) {
        self.reason = Some(refusal.reason);
        self.policy.clone_from(&refusal.policy);
        self.limit.clone_from(&refusal.limit);
    }

    /// Counts the request, remembers a refusal, and writes the log's line if it wants one.
    pub(crate) fn close(&self, worker: &Worker, now_ns: u64) {
        let duration_ns = now_ns.saturating_sub(self.started_ns);
        self.flight.tally().count(self.ended(), duration_ns);
        if let Some(reason) = self.reason {
            worker
                .journal
                .remember(self.decision(worker, reason, now_ns));
        }
        if worker.journal.has_log()
            && self.is_wanted(&worker.live.borrow().config.access_log, worker)
        {
            worker.journal.write(line::format(self, worker, now_ns));
        }
    }

    fn ended(&self) -> Ended {
        Ended {
            method: self.method,
            class: (self.status / 100) as u8,
            code: self.code,
            reason: self.reason,
        }
    }

    fn decision(&self, worker: &Worker, reason: Reason, now_ns: u64) -> Decision {
        Decision {
            at: worker.clock.wall(now_ns),
            direction: self.direction,
            service: self.service.clone(),
            reason,
            policy: self.policy.clone(),
            limit: self.limit.as_deref().map(Box::from),
            status: self.status,
        }
    }

    fn is_wanted(&self, log: &AccessLog, worker: &Worker) -> bool {
        match log.mode {
            AccessLogMode::All => true,
            AccessLogMode::None => false,
            AccessLogMode::ErrorsAndSampled => self.is_told() || worker.chance.hits(log.sample),
        }
    }

    /// Whether it failed, or something would have been done to it in shadow.
    fn is_told(&self) -> bool {
        self.has_failed() || self.would_refuse.is_some() || !self.would_do.is_empty()
    }

    /// Whether people would call it an error: refused, failed, or a gRPC status that is a failure.
    fn has_failed(&self) -> bool {
        self.reason.is_some() || self.status >= 500 || self.code.is_some_and(is_failure)
    }
}

const fn is_failure(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// The method's name, where it has one here.
pub(crate) const fn method_name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Post => "POST",
        Method::Patch => "PATCH",
        Method::Connect => "CONNECT",
        Method::Other => "OTHER",
    }
}
