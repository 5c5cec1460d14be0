//! Trace context: which trace a request belongs to (W3C `traceparent`), taken over or begun, and whether it is recorded.

use std::hash::{BuildHasher, RandomState};

use http1::Known;
use policy::trace_context::{HEADER_BYTES, Sampling, TraceParent};

use crate::chance::Chance;
use crate::request::Request;

pub(crate) use policy::trace_context::hex;

/// The identifiers of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The trace.
    pub(crate) id: u128,
    /// The span that the request is in: the caller's, the one begun here, or our newest that is recorded.
    pub(crate) span: u64,
    /// Whether there is no `traceparent` to go on from, so that one is begun here.
    pub(crate) is_begun: bool,
    /// Whether spans are recorded.
    pub(crate) is_sampled: bool,
    /// The request id that is made here when none came.
    pub(crate) new_request_id: Option<u128>,
}

impl Trace {
    /// Reads the identifiers of a request, and begins those that it lacks. Without `sampling` nothing is recorded, and a
    /// `traceparent` stays as it is, whatever it is.
    pub(crate) fn of(request: &dyn Request, chance: &Chance, sampling: Option<Sampling>) -> Self {
        let mut trace = Self::begin(chance);
        let header = request.known(Known::Traceparent);
        let parent = header.and_then(TraceParent::parse);
        let parent = parent.filter(|_| sampling.is_none() || is_single(request));
        if let Some(parent) = parent {
            (trace.id, trace.span) = (parent.trace, parent.span);
        }
        trace.is_begun = header.is_none();
        if let Some(sampling) = sampling {
            trace.is_begun = parent.is_none();
            trace.is_sampled = match parent {
                Some(parent) => parent.is_sampled,
                None => sampling.takes(trace.id),
            };
        }
        let request_id = request.known(Known::XRequestId);
        if request_id.is_some_and(|id| !id.is_empty()) {
            trace.new_request_id = None;
        }
        trace
    }

    /// Identifiers of what brought none.
    pub(crate) fn begin(chance: &Chance) -> Self {
        Self {
            id: chance.draw_wide() | 1,
            span: chance.draw() | 1,
            is_begun: true,
            is_sampled: false,
            new_request_id: Some(chance.draw_wide()),
        }
    }

    /// The value of the `traceparent` of what is sent on under `span`.
    pub(crate) fn header(&self, span: u64) -> [u8; HEADER_BYTES] {
        let parent = TraceParent {
            trace: self.id,
            span,
            is_sampled: self.is_sampled,
        };
        parent.header()
    }
}

/// Whether there is one `traceparent` at most: of several, none is to be believed.
fn is_single(request: &dyn Request) -> bool {
    let mut count = 0;
    request.visit(Known::Traceparent.as_str(), &mut |_| count += 1);
    count <= 1
}

/// Names a request in the table of those in flight: by trace, or by a keyed hash of its request id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Trace(u128),
    RequestId(u64),
}

impl Key {
    /// The key that an outbound request is looked up by; none when it names neither.
    pub(crate) fn of_call(request: &dyn Request, hasher: &RandomState) -> Option<Self> {
        let parent = request
            .known(Known::Traceparent)
            .and_then(TraceParent::parse);
        match parent {
            Some(parent) => Some(Self::Trace(parent.trace)),
            None => request
                .known(Known::XRequestId)
                .map(|id| Self::of_id(id, hasher)),
        }
    }

    /// The key of a request id.
    pub(crate) fn of_id(id: &[u8], hasher: &RandomState) -> Self {
        Self::RequestId(hasher.hash_one(id))
    }
}

#[cfg(test)]
mod tests;
