//! Fallback: which failures another answer stands in for.

use crate::Reason;

/// A kind of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Case {
    /// Somebody refused it who might have taken it: a limit, a bulkhead, a full queue, a rehearsal.
    Refused,
    /// A breaker is open.
    Open,
    /// It took too long.
    Timeout,
    /// There is nobody to ask.
    NoEndpoints,
}

/// A set of cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cases(u8);

impl Case {
    /// Every case with its name in a policy.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Refused, "Refused"),
        (Self::Open, "Open"),
        (Self::Timeout, "Timeout"),
        (Self::NoEndpoints, "NoEndpoints"),
    ];

    /// The case with this name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let named = Self::ALL.into_iter().find(|(_, name)| *name == word);
        named.map(|(case, _)| case)
    }

    /// What a failure for this reason is a case of; none where the client is at fault, the upstream had the request, or
    /// nobody knows which service was meant.
    #[must_use]
    pub const fn of(reason: Reason) -> Option<Self> {
        use Reason::*;
        match reason {
            RatelimitToken
            | RatelimitLeakyFull
            | RatelimitLeakyEvicted
            | RatelimitFixed
            | RatelimitSlidingLog
            | RatelimitSlidingWindow
            | RatelimitConcurrency
            | RatelimitBandwidth
            | RatelimitConnections
            | RatelimitResource
            | BulkheadFull
            | BulkheadWaitTimeout
            | BulkheadConnections
            | QueueFull
            | QueueEvicted
            | QueueCodel
            | QueueBlocked
            | QueueThrottled
            | ShedClass
            | ShedFairness
            | ShedConcurrency
            | AdmissionRate
            | Draining
            | FaultInjected => Some(Self::Refused),
            BreakerOpen | BreakerHalfOpenFull | BreakerForced => Some(Self::Open),
            TimeoutRequest | TimeoutPerTry | DeadlineExhausted => Some(Self::Timeout),
            UpstreamNoEndpoints | UpstreamConnect | TimeoutConnect => Some(Self::NoEndpoints),
            UpstreamReset | UpstreamProtocol | TimeoutIdle | RetryBudget | RetryExhausted
            | RouteNone | ConfigMissing | ProtocolInvalid | ClientCancelled | ProxyLoop
            | ProxyLimit => None,
        }
    }
}

impl Cases {
    /// Whether a failure for this reason is one of them.
    #[must_use]
    pub const fn cover(self, reason: Reason) -> bool {
        match Case::of(reason) {
            Some(case) => self.0 & 1 << case as u8 != 0,
            None => false,
        }
    }
}

impl FromIterator<Case> for Cases {
    fn from_iter<I: IntoIterator<Item = Case>>(cases: I) -> Self {
        let bits = cases.into_iter().map(|case| 1 << case as u8);
        Self(bits.fold(0, |all, bit: u8| all | bit))
    }
}

#[cfg(test)]
mod tests;
