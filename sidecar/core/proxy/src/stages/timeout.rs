//! Timeout: until when an attempt may go without response headers, and what bounds the body after them.

use http1::Known;
use policy::Reason;
use policy::deadline::Deadline;
use policy::ending::Ending;

use crate::clock::nanoseconds;
use crate::config::Timeouts;
use crate::request::{Request, Response};

/// The media type of a stream of server-sent events.
const EVENT_STREAM: &[u8] = b"text/event-stream";

/// Until when an attempt waits for response headers, and what it means when they do not come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadersBy {
    pub(crate) at_ns: u64,
    pub(crate) ending: Ending,
}

/// The sooner of the attempt's own timeout and the deadline.
pub(crate) fn headers_by(
    timeouts: &Timeouts,
    deadline: Option<Deadline>,
    began_ns: u64,
) -> Option<HeadersBy> {
    let per_try = timeouts.per_try.map(|per_try| HeadersBy {
        at_ns: began_ns.saturating_add(nanoseconds(per_try)),
        ending: Ending::PerTryTimeout,
    });
    let whole = deadline.map(|deadline| HeadersBy {
        at_ns: deadline.at_ns(),
        ending: deadline_ending(deadline),
    });
    // At the same instant the whole exchange is over, and no further try would fit.
    whole.into_iter().chain(per_try).min_by_key(|by| by.at_ns)
}

/// How an attempt ends that the deadline cuts.
pub(crate) const fn deadline_ending(deadline: Deadline) -> Ending {
    if deadline.is_callers() {
        Ending::CallerDeadline
    } else {
        Ending::RequestTimeout
    }
}

/// What bounds the body of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BodyBounds {
    /// The last byte has to be there by then.
    pub(crate) until: Option<(u64, Reason)>,
    /// The longest time without a byte.
    pub(crate) idle_ns: Option<u64>,
    /// The longest time for which whoever reads it takes nothing.
    pub(crate) still_ns: Option<u64>,
}

/// What bounds the body of an answer: the deadline, or for streams their own timeouts.
pub(crate) fn body_bounds(
    timeouts: &Timeouts,
    deadline: Option<Deadline>,
    is_stream: bool,
    now_ns: u64,
) -> BodyBounds {
    let still_ns = timeouts.stream_idle.map(nanoseconds);
    if !is_stream {
        return BodyBounds {
            until: deadline.map(|deadline| (deadline.at_ns(), Reason::TimeoutRequest)),
            idle_ns: None,
            still_ns,
        };
    }
    let end_ns = |most| now_ns.saturating_add(nanoseconds(most));
    BodyBounds {
        until: timeouts
            .max_stream
            .map(|most| (end_ns(most), Reason::TimeoutRequest)),
        idle_ns: still_ns,
        still_ns,
    }
}

/// Whether the deadline ends with the response headers: upgrades, tunnels, event streams, gRPC calls that set
/// themselves no timeout.
pub(crate) fn is_stream(request: &Traits, response: &dyn Response) -> bool {
    let is_events = || {
        let kind = response.known(Known::ContentType);
        let kind = kind.and_then(|kind| kind.get(..EVENT_STREAM.len()));
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case(EVENT_STREAM))
    };
    request.is_open_ended || response.status() == 101 || is_events()
}

/// What of the request decides whether its answer streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(crate) is_grpc: bool,
    /// Whether its answer streams whatever it says.
    is_open_ended: bool,
}

impl Traits {
    pub(crate) fn of(request: &dyn Request) -> Self {
        let is_grpc = request.is_grpc();
        let has_timeout = request.known(Known::GrpcTimeout).is_some();
        Self {
            is_grpc,
            is_open_ended: request.is_open_ended() || (is_grpc && !has_timeout),
        }
    }
}

#[cfg(test)]
mod tests;
