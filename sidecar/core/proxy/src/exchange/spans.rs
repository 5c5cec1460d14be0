//! Spans of a request that is recorded: one for an inbound request, one for each attempt of a call, and one of a call that
//! came to no attempt, so that a trace shows why. They are told together when the exchange ends.

use std::net::SocketAddr;

use policy::ending::Ending;
use policy::grpc::Code;
use smallvec::SmallVec;

use super::{Attempt, Exchange};
use crate::name::ServiceName;
use crate::report::{Direction, Span, SpanKind};
use crate::request::Request;
use crate::stages::record::{Record, method_name};
use crate::tally::AttemptResult;
use crate::worker::Worker;

/// What a request's spans are made of.
#[derive(Debug)]
pub(super) struct Spans {
    /// The caller's span; `None` where the trace begins here.
    parent: Option<u64>,
    /// The method that a gRPC call names.
    rpc: Option<Box<str>>,
    attempts: SmallVec<[Ended; 1]>,
}

/// An attempt that is over.
#[derive(Debug)]
struct Ended {
    span: u64,
    number: u32,
    endpoint: SocketAddr,
    began_ns: u64,
    ended_ns: u64,
    ending: Ending,
    status: u16,
    code: Option<Code>,
}

/// Longest name of a gRPC method that is told.
const MOST_RPC_BYTES: usize = 256;

impl Spans {
    /// Begins what is recorded of a request, under a span of our own; nothing of what is not sampled, or no request.
    pub(super) fn begin(
        record: &mut Record,
        worker: &Worker,
        request: &dyn Request,
    ) -> Option<Box<Self>> {
        let trace = &mut record.trace;
        if !trace.is_sampled || request.method().is_empty() {
            return None;
        }
        let parent = (!trace.is_begun).then_some(trace.span);
        trace.span = worker.chance.draw() | 1;
        Some(Box::new(Self {
            parent,
            rpc: request.is_grpc().then(|| rpc(request.path())).flatten(),
            attempts: SmallVec::new(),
        }))
    }

    /// The same for another exchange with the same request.
    pub(super) fn again(&self) -> Box<Self> {
        Box::new(Self {
            parent: self.parent,
            rpc: self.rpc.clone(),
            attempts: SmallVec::new(),
        })
    }

    /// Tells the spans of a request that ended.
    fn tell(self, worker: &Worker, record: &Record, now_ns: u64) {
        let whole = Span {
            trace: record.trace.id,
            id: record.trace.span,
            parent: self.parent,
            kind: match record.direction {
                Direction::Inbound => SpanKind::Server,
                Direction::Outbound => SpanKind::Internal,
            },
            began_unix_ns: worker.moment(record.started_ns).unix_ns,
            ended_unix_ns: worker.moment(now_ns).unix_ns,
            workload: workload(worker, record),
            service: record.service.clone(),
            route: record.rule.as_ref().map(|rule| (*rule.label).into()),
            method: method_name(record.method),
            protocol: record.protocol,
            rpc: self.rpc,
            status: record.status,
            code: record.code,
            failure: None,
            reason: record.reason,
            policy: record.policy.clone(),
            resends: 0,
            endpoint: None,
        };
        let Some(last) = self.attempts.len().checked_sub(1) else {
            return worker.journal.trace(whole);
        };
        for (place, ended) in self.attempts.into_iter().enumerate() {
            let span = ended.span(worker, &whole, place == last);
            worker.journal.trace(span);
        }
    }
}

impl Ended {
    /// The span of this attempt of a call; what became of the call is said of its last one.
    fn span(self, worker: &Worker, call: &Span, is_last: bool) -> Span {
        let is_answered = matches!(self.ending, Ending::Response { .. });
        let failure = AttemptResult::of(&self.ending, false).as_str();
        Span {
            id: self.span,
            kind: SpanKind::Client,
            began_unix_ns: worker.moment(self.began_ns).unix_ns,
            ended_unix_ns: worker.moment(self.ended_ns).unix_ns,
            status: self.status,
            code: self.code,
            failure: (!is_answered).then_some(failure),
            reason: call.reason.filter(|_| is_last),
            policy: call.policy.clone().filter(|_| is_last),
            resends: self.number - 1,
            endpoint: Some(self.endpoint),
            ..call.clone()
        }
    }
}

impl Exchange {
    /// A span for an attempt that begins, which the log then names; that of the whole for an inbound request.
    pub(super) fn begin_span(&mut self) -> u64 {
        if self.spans.is_some() && self.is_outbound() {
            self.record.trace.span = self.worker.chance.draw() | 1;
        }
        self.record.trace.span
    }

    /// Has the log name the attempt before the one that was begun last, if there was one.
    pub(super) fn unmake_span(&mut self) {
        let attempts = self.spans.as_ref().map(|spans| &spans.attempts);
        if let Some(last) = attempts.and_then(|attempts| attempts.last()) {
            self.record.trace.span = last.span;
        }
    }

    /// Notes an attempt of a call that is over, if it is recorded.
    pub(super) fn end_span(&mut self, attempt: &Attempt) {
        let is_outbound = self.is_outbound();
        let Some(spans) = self.spans.as_mut().filter(|_| is_outbound) else {
            return;
        };
        let (status, code) = match attempt.ending {
            Ending::Response { status, code } => (status, code),
            Ending::PeerRefusal { .. } => (self.record.status, self.record.code),
            _ => (0, None),
        };
        spans.attempts.push(Ended {
            span: attempt.span,
            number: attempt.number,
            endpoint: attempt.picked.address,
            began_ns: attempt.began_ns,
            ended_ns: self.now_ns,
            ending: attempt.ending,
            status,
            code,
        });
    }

    /// Notes every attempt that is under way as over, since nobody waits any more.
    pub(super) fn end_spans(&mut self) {
        if self.spans.is_none() {
            return;
        }
        if let Some(rival) = self.rival.take() {
            self.end_span(&rival.attempt);
        }
        if let Some(attempt) = self.current.take() {
            self.end_span(&attempt);
        }
    }

    /// Tells the spans of an exchange that has ended.
    pub(super) fn tell_spans(&mut self) {
        if let Some(spans) = self.spans.take() {
            spans.tell(&self.worker, &self.record, self.now_ns);
        }
    }
}

/// Whose span it is: the service that was called, or the one that calls.
fn workload(worker: &Worker, record: &Record) -> Option<ServiceName> {
    match record.direction {
        Direction::Inbound => record.service.clone(),
        Direction::Outbound => {
            let live = worker.live.borrow();
            let known = live.config.peer.clone();
            known.or_else(|| ServiceName::parse(&worker.peer))
        }
    }
}

/// The method `package.Service/Method` that a path names, if it names one.
fn rpc(path: &[u8]) -> Option<Box<str>> {
    let name = path
        .strip_prefix(b"/")
        .filter(|name| name.len() <= MOST_RPC_BYTES)?;
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
    let mut words = name.split(|byte| *byte == b'/');
    let is_method = words.clone().count() == 2
        && words.all(|word| !word.is_empty() && word.iter().all(&is_word));
    let name = std::str::from_utf8(name).ok().filter(|_| is_method)?;
    Some(name.into())
}
