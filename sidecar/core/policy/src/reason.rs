//! Why the sidecar answered by itself: one closed list.
//!
//! The same word stands in `Proxy-Status`, problem+json, gRPC details, the metric label `reason`, the access
//! log and `explain`. The type has no default, so no path can forget to name one. One row of the table below
//! drives header, flag, status and metric.

use crate::grpc::Code;

struct Row {
    name: &'static str,
    http: Option<u16>,
    grpc: Option<Code>,
    error: Option<&'static str>,
    flags: &'static str,
    retry_after_known: bool,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $name:literal $http:tt $grpc:tt $error:tt $flags:literal $known:literal;)+) => {
        /// Why the sidecar refused or gave up.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reason { $($(#[$doc])* $variant,)+ }

        impl Reason {
            /// Every reason, in the order of the table.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)+];
        }

        const TABLE: &[Row] = &[$(Row {
            name: $name,
            http: cell!($http),
            grpc: code!($grpc),
            error: cell!($error),
            flags: $flags,
            retry_after_known: $known,
        },)+];
    };
}

/// A cell of the table; `last` stands for "as the last answer", or nothing at all.
macro_rules! cell {
    (last) => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}

macro_rules! code {
    (last) => {
        None
    };
    ($code:ident) => {
        Some(Code::$code)
    };
}

reasons! {
    // variant, name, HTTP, gRPC, RFC 9209 error, Envoy's letters, whether Retry-After is known
    /// A token bucket had too few tokens.
    RatelimitToken "ratelimit.token" 429 ResourceExhausted "http_request_denied" "RL" true;
    /// The line of a leaky bucket had no place, or would have taken too long.
    RatelimitLeakyFull "ratelimit.leaky_full" 429 ResourceExhausted "http_request_denied" "RL" true;
    /// A newer request took the place in the line of a leaky bucket.
    RatelimitLeakyEvicted "ratelimit.leaky_evicted" 429 ResourceExhausted "http_request_denied" "RL" true;
    /// The window had room for no more.
    RatelimitFixed "ratelimit.fixed" 429 ResourceExhausted "http_request_denied" "RL" true;
    /// The log had room for no more.
    RatelimitSlidingLog "ratelimit.sliding_log" 429 ResourceExhausted "http_request_denied" "RL" true;
    /// The sliding window had room for no more.
    RatelimitSlidingWindow "ratelimit.sliding_window" 429 ResourceExhausted "http_request_denied" "RL" true;
    /// Too many were in flight.
    RatelimitConcurrency "ratelimit.concurrency" 429 ResourceExhausted "http_request_denied" "RL" false;
    /// More bytes than the bandwidth allows.
    RatelimitBandwidth "ratelimit.bandwidth" 429 ResourceExhausted "connection_limit_reached" "RL" false;
    /// Too many connections, or too many new ones.
    RatelimitConnections "ratelimit.connections" 429 ResourceExhausted "connection_limit_reached" "RL" false;
    /// Memory, processor time or pressure of the workload is beyond its limit.
    RatelimitResource "ratelimit.resource" 503 Unavailable "http_request_denied" "RL" false;
    /// Running places and queue were taken.
    BulkheadFull "bulkhead.full" 503 Unavailable "connection_limit_reached" "UO" false;
    /// Waited in the bulkhead's queue for too long.
    BulkheadWaitTimeout "bulkhead.wait_timeout" 503 Unavailable "connection_limit_reached" "UO" false;
    /// No pooled connection became free in time.
    BulkheadConnections "bulkhead.connections" 503 Unavailable "connection_limit_reached" "UO" false;
    /// The queue was full.
    QueueFull "queue.full" 503 Unavailable "http_request_denied" "OM" false;
    /// Made room in the queue for a newer one.
    QueueEvicted "queue.evicted" 503 Unavailable "http_request_denied" "OM" false;
    /// Dropped from a queue that stands.
    QueueCodel "queue.codel" 503 Unavailable "http_request_denied" "OM" false;
    /// Held in front of the queue for too long.
    QueueBlocked "queue.blocked" 503 Unavailable "http_request_denied" "OM" false;
    /// The queue is nearly full and admits only as fast as it drains.
    QueueThrottled "queue.throttled" 503 Unavailable "http_request_denied" "OM" false;
    /// Made room for something more important, or matters too little while the queue fills.
    ShedClass "shed.class" 503 Unavailable "http_request_denied" "OM" false;
    /// Made room for somebody who asks for less.
    ShedFairness "shed.fairness" 503 Unavailable "http_request_denied" "OM" false;
    /// As many run as may, and there is no queue.
    ShedConcurrency "shed.concurrency" 503 Unavailable "http_request_denied" "OM" false;
    /// A share of the calls is refused before they burden an upstream that fails.
    AdmissionRate "admission.rate" 503 Unavailable "http_request_denied" "OM" false;
    /// The breaker is open.
    BreakerOpen "breaker.open" 503 Unavailable "destination_unavailable" "UO" true;
    /// The breaker is half open and its probes are out.
    BreakerHalfOpenFull "breaker.half_open_full" 503 Unavailable "destination_unavailable" "UO" false;
    /// A person forced the breaker open.
    BreakerForced "breaker.forced" 503 Unavailable "destination_unavailable" "UO" false;
    /// The cluster has no endpoint that could be picked.
    UpstreamNoEndpoints "upstream.no_endpoints" 503 Unavailable "destination_unavailable" "UH" false;
    /// The endpoint refused the connection.
    UpstreamConnect "upstream.connect" 503 Unavailable "connection_refused" "UF" false;
    /// The upstream ended the connection or the stream before its answer.
    UpstreamReset "upstream.reset" 502 Unavailable "connection_terminated" "UC" false;
    /// The upstream broke the protocol.
    UpstreamProtocol "upstream.protocol" 502 Internal "http_protocol_error" "UPE" false;
    /// Connecting took too long.
    TimeoutConnect "timeout.connect" 503 Unavailable "connection_timeout" "UF" false;
    /// The whole exchange took too long.
    TimeoutRequest "timeout.request" 504 DeadlineExceeded "http_response_timeout" "UT" false;
    /// One attempt had no response headers in time.
    TimeoutPerTry "timeout.per_try" 504 DeadlineExceeded "http_response_timeout" "UT" false;
    /// A stream stood still for too long.
    TimeoutIdle "timeout.idle" 504 DeadlineExceeded "http_response_timeout" "UT" false;
    /// The request arrived with no time left.
    DeadlineExhausted "deadline.exhausted" 504 DeadlineExceeded "http_response_timeout" "DT" false;
    /// The retry budget refused a further attempt.
    RetryBudget "retry.budget" last last last "URX" false;
    /// Tries or time ran out.
    RetryExhausted "retry.exhausted" last last last "URX" false;
    /// No route matches the request.
    RouteNone "route.none" 404 Unimplemented "destination_not_found" "NR" false;
    /// No configuration for the service arrived in time.
    ConfigMissing "config.missing" 503 Unavailable "destination_unavailable" "-" false;
    /// The sidecar is leaving.
    Draining "draining" 503 Unavailable "destination_unavailable" "-" false;
    /// The request is malformed or too large; the codec may set a closer status than 400.
    ProtocolInvalid "protocol.invalid" 400 Internal "http_request_error" "DPE" false;
    /// A rehearsal refused it.
    FaultInjected "fault.injected" last last "proxy_internal_response" "FI" false;
    /// The client left; in logs only.
    ClientCancelled "client.cancelled" 499 Cancelled last "DC" false;
    /// The request came back to the sidecar that sent it.
    ProxyLoop "proxy.loop" 508 FailedPrecondition "proxy_loop_detected" "-" false;
    /// The sidecar itself is at one of its bounds.
    ProxyLimit "proxy.limit" 503 ResourceExhausted "proxy_internal_error" "OM" false;
}

impl Reason {
    const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The word, such as `breaker.open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }

    /// The reason with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.as_str() == word)
    }

    /// The HTTP status of the answer; none when the last answer goes back as it came.
    #[must_use]
    pub const fn http_status(self) -> Option<u16> {
        self.row().http
    }

    /// The gRPC status of the answer; none when the last answer goes back as it came.
    #[must_use]
    pub const fn grpc_code(self) -> Option<Code> {
        self.row().grpc
    }

    /// The error type of RFC 9209 for `Proxy-Status`; none when no answer of our own is sent.
    #[must_use]
    pub const fn proxy_status_error(self) -> Option<&'static str> {
        self.row().error
    }

    /// Envoy's response flag, because people grep for it; `-` where it has none.
    #[must_use]
    pub const fn envoy_flags(self) -> &'static str {
        self.row().flags
    }

    /// Whether the time after which a retry can succeed is known and sent.
    #[must_use]
    pub const fn retry_after_known(self) -> bool {
        self.row().retry_after_known
    }
}

#[cfg(test)]
mod tests;
