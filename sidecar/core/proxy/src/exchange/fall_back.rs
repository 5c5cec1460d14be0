//! Falling back: the answer that stands in for a failure, or the service that is asked instead.
//!
//! Asking another service is an exchange of its own, under the policies of that service; the one that failed ends as
//! the failure that it is. Whoever is asked instead has no fallback itself, so that nobody is asked in circles; when it
//! fails too, the first failure is told.

use std::rc::Rc;

use policy::method::Method;

use super::{End, Exchange};
use crate::config::{Block, Fallback, Instead};
use crate::request::Request;
use crate::stages::rescue::{self, Answer, Taste};
use crate::stages::{Refusal, fallback};
use crate::tally::increment;
use crate::worker::Entry;

/// The failure that another service is asked instead of.
#[derive(Debug)]
pub(super) struct Fallen {
    refusal: Refusal,
    pub(super) mark: String,
    began_ns: u64,
}

impl Exchange {
    /// The fallback that stands in for a refusal. What is asked to open a tunnel has none.
    pub(super) fn fallback_of(&self, refusal: &Refusal) -> Option<&Block<Fallback>> {
        let block = self.config()?.fallback.as_ref()?;
        let is_open = self.fallen.is_none() && self.record.method != Method::Connect;
        (is_open && fallback::covers(block, refusal)).then_some(block)
    }

    /// Whether another answer stands in for a refusal.
    pub(super) fn falls_back(&self, refusal: &Refusal) -> bool {
        self.fallback_of(refusal).is_some()
    }

    /// Bytes of the body that are kept for a service that is asked instead.
    pub(super) fn kept_to_fall_back(&self) -> u64 {
        let block = self.config().and_then(|config| config.fallback.as_ref());
        let service = block.filter(|block| matches!(block.params.instead, Instead::Service(_)));
        service
            .filter(|_| self.fallen.is_none())
            .map_or(0, |_| fallback::REPLAY_BYTES)
    }

    /// Time since the request came, where this is not the first exchange for it.
    pub(super) fn elapsed_ns(&self) -> u64 {
        let fallen = self.fallen.as_ref();
        fallen.map_or(0, |fallen| self.now_ns.saturating_sub(fallen.began_ns))
    }

    /// Ends this exchange with a refusal and begins the one with the service that is asked instead, if one is: through
    /// where the request enters for that.
    pub(crate) fn fall_back(
        &mut self,
        refusal: &Refusal,
        request: &dyn Request,
    ) -> Option<Rc<Entry>> {
        let block = self.fallback_of(refusal)?;
        let Instead::Service(service) = &block.params.instead else {
            return None;
        };
        let fallen = Fallen {
            refusal: refusal.clone(),
            mark: fallback::mark(block, refusal),
            began_ns: self.record.started_ns,
        };
        let entry = Rc::new(Entry::Upstream {
            service: service.clone(),
            port: None,
            only: None,
        });
        self.record.fallback = Some(service.to_string().into());
        increment(&self.record.flight.tally().asked_instead);
        let mut next = Self::begin(&self.worker, &entry, request);
        next.record.trace = self.record.trace;
        next.spans = self.spans.as_ref().map(|spans| spans.again());
        next.begin_span();
        next.fallen = Some(Box::new(fallen));
        self.give_up(refusal);
        self.finish(End::Complete { code: None }, 0);
        *self = next;
        Some(entry)
    }

    /// The answer to a refusal: what stands in for it, or what it says; the first one of two.
    pub(super) fn answer_to(&mut self, refusal: &Refusal, request: &dyn Request) -> Answer {
        let told = self
            .fallen
            .as_ref()
            .map_or(refusal, |fallen| &fallen.refusal);
        let chance = &self.worker.chance;
        let is_grpc = self.traits.is_grpc;
        let block = self.fallback_of(refusal);
        let Some(answer) = block.and_then(|block| fallback::answer(block, refusal, is_grpc)) else {
            return rescue::answer(told, Taste::of(request), self.record.trace.id, chance);
        };
        increment(&self.record.flight.tally().answered_instead);
        self.record.fallback = Some("response".into());
        self.record.status = answer.status;
        answer
    }
}
