//! The life of a request, stage by stage, in the order in which it meets them. Each may be off; none changes its
//! place. A permit taken by an early stage goes back when a later one refuses.

// Which service is called, and which of its ports: everything after that is a matter of the service.
pub(crate) mod route;
// What a rehearsal does to the request, before anything is taken that it could disturb.
pub(crate) mod fault;
// The one instant by which all is done; fixed before anything waits, since time in queues counts.
pub(crate) mod deadline;
// What may be asked at all: before anything is taken that a refused request would have to give back.
pub(crate) mod rate_limit;
// How much the request matters, which decides who goes first where not all can.
pub(crate) mod criticality;
// How many the application gets at once, who waits for it, and who is turned away.
pub(crate) mod backpressure;
// Whether the call is kept back, because many fail or the service asked for less.
pub(crate) mod admission;
// How many run at once; all attempts of a request are one.
pub(crate) mod bulkhead;
// Around the stages below: whether a failed attempt is made again, paid for by the budget.
pub(crate) mod retry;
// Whether the service, and then the endpoint, is fit for an attempt.
pub(crate) mod breaker;
// Which endpoint takes the attempt.
pub(crate) mod endpoint;
// Which other services get a copy; nobody waits for one.
pub(crate) mod mirror;
// What a rule of a route changes in the heads that are sent on, and in those that come back.
pub(crate) mod header_edits;
// How long the attempt, and what follows it, may take.
pub(crate) mod timeout;
// What policies in shadow would do to a call; nothing of it is done.
pub(crate) mod shadow;
// What answers instead of a failure, if anything does.
pub(crate) mod fallback;
// Whatever refused: one answer that names the reason.
pub(crate) mod rescue;
// Whatever happened: counted, remembered, written down.
pub(crate) mod record;

use std::sync::Arc;

use policy::Reason;
use policy::grpc::Code;

use crate::name::PolicyRef;

/// A stage's refusal.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    /// Another status than the reason's own.
    pub(crate) status: Option<u16>,
    pub(crate) policy: Option<Arc<PolicyRef>>,
    pub(crate) limit: Option<Arc<str>>,
    /// When a retry can succeed, if that is known.
    pub(crate) retry_after_ns: Option<u64>,
    /// The failure that was given up, where the reason answers "as the last".
    pub(crate) last: Option<Reason>,
    /// Whether the body says what the headers say.
    pub(crate) has_problem: bool,
}

impl Refusal {
    pub(crate) const fn new(reason: Reason) -> Self {
        Self {
            reason,
            status: None,
            policy: None,
            limit: None,
            retry_after_ns: None,
            last: None,
            has_problem: true,
        }
    }

    /// Names the policy behind it.
    pub(crate) fn by(mut self, policy: Option<Arc<PolicyRef>>) -> Self {
        self.policy = policy;
        self
    }

    /// Says when a retry can succeed.
    pub(crate) const fn after(mut self, retry_after_ns: Option<u64>) -> Self {
        self.retry_after_ns = retry_after_ns;
        self
    }

    /// The HTTP status of the answer.
    pub(crate) fn http_status(&self) -> u16 {
        let last = || self.last.and_then(Reason::http_status);
        self.status
            .or(self.reason.http_status())
            .or_else(last)
            .unwrap_or(503)
    }

    /// The gRPC status of the answer.
    pub(crate) fn grpc_code(&self) -> Code {
        let last = || self.last.and_then(Reason::grpc_code);
        self.reason
            .grpc_code()
            .or_else(last)
            .or(self.status.map(Code::from_http_status))
            .unwrap_or(Code::Unavailable)
    }

    /// The error type of `Proxy-Status`.
    pub(crate) fn error(&self) -> Option<&'static str> {
        let last = || self.last.and_then(Reason::proxy_status_error);
        self.reason.proxy_status_error().or_else(last)
    }
}
