//! Whether a failed attempt is tried again, and when.
//!
//! One decision, taken in the order of cost: what may not be retried is delivered; what may, but has no tries,
//! time or budget left, is given up and says so, since callers must not start over what was given up here.

mod backoff;

pub use backoff::{Backoff, Strategy};

use crate::Reason;
use crate::budget::{Budget, Spent};
use crate::condition::Conditions;
use crate::ending::Ending;
use crate::method::{Method, Methods};

/// The settings of a `retry:` block, but for its budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// Tries beyond the first call.
    pub attempts: u32,
    /// After what an attempt is tried again.
    pub when: Conditions,
    /// The methods that may be tried again whatever the application saw.
    pub methods: Methods,
    /// How long to wait.
    pub backoff: Backoff,
    /// The largest body that is kept to be sent again.
    pub replay_bytes: u64,
    /// Whether to wait at least as long as `Retry-After` says.
    pub honor_retry_after: bool,
}

/// What of the request matters to its retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Whether it may be repeated although its method may not: it has an `Idempotency-Key`, or the service's
    /// contract declares it idempotent.
    pub is_idempotent: bool,
    /// How long its body is, as far as known.
    pub body_bytes: u64,
}

/// How the last attempt ended, and what came with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// How it ended.
    pub ending: Ending,
    /// Whether a byte of its answer was passed on to the client.
    pub is_passed_on: bool,
    /// Whether its answer carries `breakwater-retry: exhausted`.
    pub is_exhausted: bool,
    /// Its `Retry-After`.
    pub retry_after_ns: Option<u64>,
    /// Its `grpc-retry-pushback-ms`.
    pub pushback: Option<Pushback>,
}

/// What `grpc-retry-pushback-ms` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushback {
    /// Not to try again: a negative or unreadable value.
    Stop,
    /// To wait for so long.
    After(u64),
}

/// Where the call as a whole stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Tries made beyond the first call.
    pub retries: u32,
    /// The delay before the last of them.
    pub previous_delay_ns: Option<u64>,
    /// What is left until the deadline, if there is one.
    pub left_ns: Option<u64>,
    /// How long half of the recent successful attempts took, if enough are known.
    pub p50_ns: Option<u64>,
    /// Whether an endpoint other than the one just tried is ready.
    pub has_another_endpoint: bool,
    /// Now.
    pub now_ns: u64,
}

/// What becomes of the call.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try again.
    Retry {
        /// After so long.
        delay_ns: u64,
        /// The budget's receipt, for a refund if a later stage refuses the attempt.
        spent: Spent,
    },
    /// Return the answer as one that was retried in vain.
    GiveUp(GiveUp),
    /// Return the answer; retries have nothing to do with it.
    Deliver,
}

/// Why a call that could be retried is not. Its answer carries `breakwater-retry: exhausted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiveUp {
    /// The tries are used up.
    Tries,
    /// The delay, or the attempt after it, does not fit into what is left.
    Deadline,
    /// The budget refuses.
    Budget,
    /// A hop nearer to the failure gave up already.
    Upstream,
}

impl GiveUp {
    /// The reason in log, metric and header.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Budget => Reason::RetryBudget,
            Self::Tries | Self::Deadline | Self::Upstream => Reason::RetryExhausted,
        }
    }
}

impl Pushback {
    /// Reads the field's value.
    #[must_use]
    pub fn parse(field: &[u8]) -> Self {
        let milliseconds = std::str::from_utf8(field)
            .ok()
            .and_then(|text| text.parse::<u64>().ok());
        milliseconds.map_or(Self::Stop, |milliseconds| {
            Self::After(milliseconds.saturating_mul(1_000_000))
        })
    }
}

impl Params {
    /// What becomes of a call whose attempt ended so. Spends from the budget only when it is tried again.
    pub fn decide(
        &self,
        request: &Request,
        attempt: &Attempt,
        progress: &Progress,
        budget: &mut Budget,
        draw: u64,
    ) -> Decision {
        if attempt.is_passed_on {
            return Decision::Deliver;
        }
        if attempt.is_exhausted {
            return Decision::GiveUp(GiveUp::Upstream);
        }
        if !self.is_eligible(request, attempt, progress) {
            return Decision::Deliver;
        }
        if progress.retries >= self.attempts {
            return Decision::GiveUp(GiveUp::Tries);
        }
        let delay_ns = self.delay_ns(attempt, progress, draw);
        if !fits(delay_ns, progress) {
            return Decision::GiveUp(GiveUp::Deadline);
        }
        match budget.spend(progress.now_ns) {
            Some(spent) => Decision::Retry { delay_ns, spent },
            None => Decision::GiveUp(GiveUp::Budget),
        }
    }

    fn is_eligible(&self, request: &Request, attempt: &Attempt, progress: &Progress) -> bool {
        let is_listed = match attempt.ending {
            Ending::PeerRefusal { elsewhere } => elsewhere && progress.has_another_endpoint,
            Ending::RequestTimeout | Ending::Truncated => false,
            ref ending => self.when.cover(ending),
        };
        is_listed
            && request.body_bytes <= self.replay_bytes
            && attempt.pushback != Some(Pushback::Stop)
            && self.may_repeat(request, &attempt.ending)
    }

    fn may_repeat(&self, request: &Request, ending: &Ending) -> bool {
        ending.is_proven_unsent() || request.is_idempotent || self.methods.contains(request.method)
    }

    fn delay_ns(&self, attempt: &Attempt, progress: &Progress, draw: u64) -> u64 {
        let own_ns = self
            .backoff
            .delay_ns(progress.retries, progress.previous_delay_ns, draw);
        let asked_ns = attempt
            .retry_after_ns
            .filter(|_| self.honor_retry_after)
            .unwrap_or(0);
        match attempt.pushback {
            Some(Pushback::After(pushback_ns)) => own_ns.max(asked_ns).max(pushback_ns),
            _ => own_ns.max(asked_ns),
        }
    }
}

/// Whether the delay ends before the deadline, with as much time left as half of the attempts take.
fn fits(delay_ns: u64, progress: &Progress) -> bool {
    let Some(left_ns) = progress.left_ns else {
        return true;
    };
    let is_in_time = delay_ns < left_ns;
    is_in_time
        && progress
            .p50_ns
            .is_none_or(|p50_ns| left_ns - delay_ns >= p50_ns)
}

/// Whether an attempt is silently made once more for free: a safe request, sent on a pooled connection that
/// turned out to be closed before a byte was answered. Once per call.
#[must_use]
pub fn is_free(request: &Request, ending: &Ending, replay_bytes: u64) -> bool {
    request.method.is_safe() && request.body_bytes <= replay_bytes && *ending == Ending::Reset
}

#[cfg(test)]
mod tests;
