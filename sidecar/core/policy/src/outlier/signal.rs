//! What the end of an attempt says about the endpoint.

use crate::Outcome;
use crate::condition::Conditions;
use crate::ending::Ending;
use crate::grpc::Code;

/// How an attempt counts against its endpoint, from good to worst: each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// It answered.
    Success,
    /// It failed.
    Failure,
    /// It failed as if nobody were behind it: 502, 503, 504, UNAVAILABLE, reset, or no answer in time.
    GatewayFailure,
    /// It could not be connected to.
    ConnectFailure,
}

impl Signal {
    /// What an ending says, where `failures` is what the service's breakers count; nothing if it was not the
    /// endpoint's doing.
    #[must_use]
    pub fn of(ending: &Ending, failures: &Conditions) -> Option<Self> {
        match ending.outcome(failures) {
            Outcome::Uncounted => None,
            Outcome::Success => Some(Self::Success),
            Outcome::Failure => Some(Self::of_failure(ending)),
        }
    }

    const fn of_failure(ending: &Ending) -> Self {
        match ending {
            Ending::ConnectFailure | Ending::ConnectTimeout => Self::ConnectFailure,
            Ending::Response {
                status: 502..=504, ..
            }
            | Ending::Response {
                code: Some(Code::Unavailable),
                ..
            }
            | Ending::RefusedStream
            | Ending::Reset
            | Ending::PerTryTimeout
            | Ending::RequestTimeout => Self::GatewayFailure,
            _ => Self::Failure,
        }
    }
}
