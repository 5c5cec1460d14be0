//! What the sidecar changes in heads, and the answers of its own.

use std::rc::Rc;

use http::HeaderName;
use http1::Known;
use policy::grpc::Code;
use policy::{Criticality, Reason};

use super::{Exchange, peer};
use crate::across::Hop;
use crate::report::Direction;
use crate::request::{Edit, Request, Response};
use crate::stages::rescue::{self, Answer, Taste};
use crate::stages::retry::EXHAUSTED;
use crate::stages::{Refusal, backpressure, deadline, fallback, fault, header_edits, route};
use crate::trace::hex;

impl Exchange {
    /// Edits the head of the request that goes upstream.
    pub(crate) fn edit_request(&self, request: &dyn Request, edit: &mut dyn Edit) {
        edit.remove_internal();
        deadline::hand_on(self.deadline, request, self.now_ns, edit);
        if self.record.direction == Direction::Outbound {
            route::sign(&self.worker, request, edit);
            self.hand_on_criticality(edit);
        } else if self.affinity.is_chosen() {
            // The application was called itself, and would see us in the caller's place.
            let peer = request.peer().to_canonical().to_string();
            edit.add(Known::XForwardedFor.as_str(), peer.as_bytes());
        }
        if self.record.trace.is_begun || self.spans.is_some() {
            self.hand_on_trace(edit);
        }
        if let Some(id) = self.record.trace.new_request_id {
            edit.set(Known::XRequestId, &hex(id));
        }
        if let Some(rule) = &self.record.rule {
            header_edits::apply(rule.config.request_headers.as_deref(), edit);
        }
    }

    /// Names the span that this is sent under as the parent. A `tracestate` goes on with the trace it belongs to.
    fn hand_on_trace(&self, edit: &mut dyn Edit) {
        let trace = &self.record.trace;
        let span = self
            .current
            .as_ref()
            .map_or(trace.span, |attempt| attempt.span);
        edit.set(Known::Traceparent, &trace.header(span));
        if trace.is_begun && self.worker.sampling.get().is_some() {
            edit.remove_field(&HeaderName::from_static("tracestate"));
        }
    }

    /// Tells a peer how much the inbound request matters that this one serves.
    fn hand_on_criticality(&self, edit: &mut dyn Edit) {
        let is_to_sidecar = self
            .current
            .as_ref()
            .is_some_and(|attempt| attempt.picked.has_sidecar);
        let inherited = self.key.filter(|_| is_to_sidecar);
        let inherited = inherited.and_then(|key| self.worker.across.criticality(key));
        if let Some(criticality) = inherited.filter(|class| *class != Criticality::Default) {
            edit.add(
                Known::BreakwaterCriticality.as_str(),
                criticality.as_str().as_bytes(),
            );
        }
    }

    /// Edits the head of the answer that goes downstream.
    pub(crate) fn edit_response(&mut self, response: &dyn Response, edit: &mut dyn Edit) {
        if !self.is_from_sidecar {
            remove_forged(response, edit);
        }
        if let Some(rule) = &self.record.rule {
            header_edits::apply(rule.config.response_headers.as_deref(), edit);
        }
        if let Some(charges) = &mut self.charges {
            charges.note_answer(response);
        }
        self.quota.tell_beside(response, edit);
        edit.remove(Known::BreakwaterAdmitRate);
        self.tell_rate(edit);
        self.mark(response.status(), edit);
        self.mark_fault(edit);
        if let Some(fallen) = &self.fallen {
            edit.add(fallback::MARK, fallen.mark.as_bytes());
        }
        if let Some(reason) = self.tries.reason() {
            let refusal = Refusal {
                last: None,
                ..self.given_up(Refusal::new(reason))
            };
            edit.add(
                Known::ProxyStatus.as_str(),
                rescue::proxy_status(&refusal).as_bytes(),
            );
            self.record.blame(&refusal);
        } else if self.is_from_sidecar {
            // A peer's own answer is what became of this request too.
            self.record.reason = peer::reason(response).and_then(Reason::parse);
        }
    }

    /// Edits the trailers that go downstream.
    pub(crate) fn edit_trailers(&self, edit: &mut dyn Edit) {
        if !self.is_from_sidecar {
            edit.remove_internal();
            edit.remove(Known::ProxyStatus);
        }
    }

    /// Tells callers which share of their requests is admitted. They keep back whatever they call: what is throttled of
    /// one route alone is not told.
    fn tell_rate(&self, edit: &mut dyn Edit) {
        let Some(route) = &self.route else { return };
        let (Some(met), Some(whole)) = (route.front(), &route.cluster.front) else {
            return;
        };
        if Rc::ptr_eq(&met.front, &whole.front) {
            backpressure::tell_rate(&met.front, self.now_ns, edit);
        }
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

    /// Says which rehearsals the request met.
    fn mark_fault(&self, edit: &mut dyn Edit) {
        if let Some(fault) = self.fault.as_ref().filter(|fault| !fault.marks.is_empty()) {
            edit.add(fault::MARK, fault.marks.as_bytes());
        }
    }

    /// Whether this answer, or a call behind it, was retried in vain.
    fn is_exhausted(&self, status: u16) -> bool {
        let has_failed = status >= 500 || self.record.code.is_some_and(|code| code != Code::Ok);
        let is_marked = self.hop.as_ref().is_some_and(Hop::is_exhausted);
        let is_given_up = self.tries.is_exhausted() && self.record.fallback.is_none();
        is_given_up || (is_marked && has_failed)
    }

    /// The answer to a refusal, in the form that the request asks for. What the exchange holds is given back now;
    /// finish it when the answer is written.
    pub(crate) fn refuse(&mut self, refusal: &Refusal, request: &dyn Request) -> Answer {
        self.give_up(refusal);
        let mut answer = self.answer_to(refusal, request);
        self.quota.tell(&mut answer);
        self.tell_rate(&mut answer);
        self.mark(answer.status, &mut answer);
        self.mark_fault(&mut answer);
        answer
    }

    /// What a gRPC call is told whose answer had begun, and that is out of time.
    pub(crate) fn cut_by(&self, reason: Reason) -> Answer {
        let (refusal, trace) = (self.refusal_of(reason), self.record.trace.id);
        rescue::answer(&refusal, Taste::Grpc, trace, &self.worker.chance)
    }

    /// Gives back what the exchange holds, and notes the refusal as what became of it.
    pub(super) fn give_up(&mut self, refusal: &Refusal) {
        self.foresee_fallback(refusal);
        if let Some(attempt) = self.current.take() {
            self.end_span(&attempt);
        }
        self.front = None;
        self.connection = None;
        self.bulkhead = None;
        self.charges = None;
        self.record.refuse(refusal, self.traits.is_grpc);
    }
}

/// Leaves out what only sidecars may say.
fn remove_forged(response: &dyn Response, edit: &mut dyn Edit) {
    edit.remove_internal();
    if response
        .known(Known::ProxyStatus)
        .is_some_and(peer::is_of_sidecar)
    {
        edit.remove(Known::ProxyStatus);
    }
}
