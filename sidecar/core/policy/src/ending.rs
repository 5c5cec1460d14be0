//! How attempts end, and what that means: for breakers, and for conditions.

use crate::condition::{Condition, Conditions};
use crate::grpc::Code;
use crate::outcome::Outcome;

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With an answer of the application. `code` is the gRPC status, from headers or trailers.
    Response {
        /// The HTTP status.
        status: u16,
        /// The gRPC status of a gRPC answer.
        code: Option<Code>,
    },
    /// The connection was refused.
    ConnectFailure,
    /// Connecting took too long.
    ConnectTimeout,
    /// The upstream refused the stream unprocessed.
    RefusedStream,
    /// The upstream went away, gracefully, before it took our stream.
    GoAway,
    /// The connection or stream ended before response headers.
    Reset,
    /// No response headers within the attempt's own timeout.
    PerTryTimeout,
    /// The policy's own request timeout fell into the attempt.
    RequestTimeout,
    /// The caller's shorter deadline fell into the attempt.
    CallerDeadline,
    /// The body ended before its end.
    Truncated,
    /// A peer's sidecar refused; no application saw the request.
    PeerRefusal {
        /// Whether another endpoint may well take it ([`may_succeed_elsewhere`]).
        elsewhere: bool,
    },
    /// This sidecar refused.
    LocalRefusal,
    /// The client left before the answer.
    ClientLeft,
}

/// Whether a peer's refusal with this reason says something about that one endpoint only.
///
/// What a peer refuses for a rate limit, for time or for access would be refused elsewhere too.
#[must_use]
pub fn may_succeed_elsewhere(word: &str) -> bool {
    matches!(word, "draining" | "upstream.connect")
        || word.starts_with("queue.")
        || word.starts_with("shed.")
}

/// What breakers take for a failure where `failureOn` is unset.
#[must_use]
pub fn default_failures() -> Conditions {
    use Condition::{ConnectFailure, PerTryTimeout, RefusedStream, Reset, Status};
    let codes = [
        Code::Unknown,
        Code::DeadlineExceeded,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
    ];
    [ConnectFailure, PerTryTimeout, RefusedStream, Reset]
        .into_iter()
        .chain([500, 502, 503, 504].map(Status))
        .chain(codes.map(Condition::Code))
        .collect()
}

impl Ending {
    /// How this counts in a breaker, where `failures` is `failureOn` or [`default_failures`].
    ///
    /// An answer that is not listed is a success. Everything else that is not listed is ignored, and so are
    /// refusals, graceful departures, clients that left and deadlines shorter than ours.
    #[must_use]
    pub fn outcome(&self, failures: &Conditions) -> Outcome {
        match self {
            Self::GoAway => Outcome::Uncounted,
            ending if failures.cover(ending) => Outcome::Failure,
            Self::Response { .. } => Outcome::Success,
            _ => Outcome::Uncounted,
        }
    }

    /// Whether no application can have seen the request.
    #[must_use]
    pub const fn is_proven_unsent(&self) -> bool {
        matches!(
            self,
            Self::ConnectFailure
                | Self::ConnectTimeout
                | Self::RefusedStream
                | Self::GoAway
                | Self::PeerRefusal { .. }
        )
    }
}

impl Conditions {
    /// Whether one of the conditions holds for an attempt that ended so.
    #[must_use]
    pub fn cover(&self, ending: &Ending) -> bool {
        match *ending {
            Ending::Response { status, code } => {
                self.contains(Condition::Status(status))
                    || code.is_some_and(|code| self.contains(Condition::Code(code)))
            }
            Ending::ConnectFailure | Ending::ConnectTimeout => {
                self.contains(Condition::ConnectFailure)
            }
            Ending::RefusedStream | Ending::GoAway => self.contains(Condition::RefusedStream),
            Ending::Reset | Ending::Truncated => self.contains(Condition::Reset),
            Ending::PerTryTimeout | Ending::RequestTimeout => {
                self.contains(Condition::PerTryTimeout)
            }
            Ending::CallerDeadline
            | Ending::PeerRefusal { .. }
            | Ending::LocalRefusal
            | Ending::ClientLeft => false,
        }
    }
}

#[cfg(test)]
mod tests;
