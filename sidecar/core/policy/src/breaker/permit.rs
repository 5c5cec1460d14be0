//! What a breaker gives its callers: permits, refusals, and a word on the endpoint behind it.

use crate::Reason;

/// An admitted call. Give it back once, through [`Breaker::on_result`](super::Breaker::on_result) or
/// [`Breaker::release`](super::Breaker::release).
#[derive(Debug)]
#[must_use = "a permit that is not given back leaves a half-open breaker waiting"]
pub struct Permit {
    /// The stay of the state that gave it.
    pub(super) epoch: u64,
    /// The number of the probe it stands for.
    pub(super) probe: Option<u64>,
}

/// Why a call was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Open for a while yet.
    Open {
        /// How long.
        retry_after_ns: u64,
    },
    /// Half open, with every probe out.
    HalfOpenFull,
    /// Forced open by a person.
    Forced,
}

/// A person's decision over a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    /// Refuse every call.
    Open,
    /// Admit every call and count it.
    Closed,
    /// Admit every call and count nothing.
    Disabled,
}

/// What the breaker means for the endpoint behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Fit for calls.
    Healthy,
    /// Half open, or due to be with the next call: fit for probes.
    Probing,
    /// Open.
    Open {
        /// When it opened.
        since_ns: u64,
        /// When its open time ends.
        until_ns: u64,
    },
}

impl Permit {
    /// A permit of no breaker: what comes of it is ignored.
    pub const fn uncounted() -> Self {
        Self {
            epoch: 0,
            probe: None,
        }
    }
}

impl Refusal {
    /// What the refusal is called.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Open { .. } => Reason::BreakerOpen,
            Self::HalfOpenFull => Reason::BreakerHalfOpenFull,
            Self::Forced => Reason::BreakerForced,
        }
    }
}
