//! Deadlines: one instant per request, carried from hop to hop as what is left of it.
//!
//! It is fixed when the request's headers are complete: the soonest of the policy's timeout, of
//! `breakwater-deadline-ms` and of `grpc-timeout`, so a header can only shorten it. What is handed on is what
//! remains less 2 ms, for the way.

use crate::Reason;

const MILLISECOND_NS: u64 = 1_000_000;
/// What each hop keeps for itself.
const MARGIN_NS: u64 = 2 * MILLISECOND_NS;
/// The longest number that `grpc-timeout` allows.
const GRPC_DIGITS: usize = 8;

/// The units of `grpc-timeout`, finest first.
const GRPC_UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', MILLISECOND_NS),
    (b'S', 1_000 * MILLISECOND_NS),
    (b'M', 60_000 * MILLISECOND_NS),
    (b'H', 3_600_000 * MILLISECOND_NS),
];

/// What bounds a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The policy's own timeout.
    pub policy_ns: Option<u64>,
    /// What came in `breakwater-deadline-ms`, or is known of the inbound request that this call serves.
    pub carried_ns: Option<u64>,
    /// What came in `grpc-timeout`.
    pub grpc_ns: Option<u64>,
}

/// The instant by which a request has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    at_ns: u64,
    is_callers: bool,
}

/// The request came with nothing left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl Exhausted {
    /// What the refusal is called.
    pub const REASON: Reason = Reason::DeadlineExhausted;
}

impl Deadline {
    /// The soonest of the bounds, counted from `now_ns`; none without bounds.
    pub fn fix(bounds: &Bounds, now_ns: u64) -> Result<Option<Self>, Exhausted> {
        let callers_ns = soonest(bounds.carried_ns, bounds.grpc_ns);
        let Some(left_ns) = soonest(bounds.policy_ns, callers_ns) else {
            return Ok(None);
        };
        if left_ns == 0 {
            return Err(Exhausted);
        }
        let is_callers = bounds.policy_ns.is_none_or(|policy_ns| left_ns < policy_ns);
        Ok(Some(Self {
            at_ns: now_ns.saturating_add(left_ns),
            is_callers,
        }))
    }

    /// The instant.
    #[must_use]
    pub const fn at_ns(&self) -> u64 {
        self.at_ns
    }

    /// Whether it is shorter than the policy's own timeout; passing it then says nothing about the upstream.
    #[must_use]
    pub const fn is_callers(&self) -> bool {
        self.is_callers
    }

    /// What is left at `now_ns`.
    #[must_use]
    pub const fn left_ns(&self, now_ns: u64) -> u64 {
        self.at_ns.saturating_sub(now_ns)
    }

    /// What is left for the next hop.
    #[must_use]
    pub const fn handed_on_ns(&self, now_ns: u64) -> u64 {
        self.left_ns(now_ns).saturating_sub(MARGIN_NS)
    }

    /// What is left for the next hop as `breakwater-deadline-ms`, rounded down.
    #[must_use]
    pub const fn handed_on_ms(&self, now_ns: u64) -> u64 {
        self.handed_on_ns(now_ns) / MILLISECOND_NS
    }
}

fn soonest(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

/// Reads `breakwater-deadline-ms`; none unless it is digits alone. What overflows is as long as can be.
#[must_use]
pub fn parse_deadline_ms(field: &[u8]) -> Option<u64> {
    parse_digits(field).map(|milliseconds| milliseconds.saturating_mul(MILLISECOND_NS))
}

/// Reads `grpc-timeout`: up to 8 digits and one of `H M S m u n`.
#[must_use]
pub fn parse_grpc_timeout(field: &[u8]) -> Option<u64> {
    let (unit, digits) = field.split_last()?;
    let (_, unit_ns) = GRPC_UNITS.iter().find(|(letter, _)| letter == unit)?;
    let amount = parse_digits(digits).filter(|_| digits.len() <= GRPC_DIGITS)?;
    Some(amount.saturating_mul(*unit_ns))
}

fn parse_digits(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let fold = |sum: u64, digit: &u8| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    };
    Some(digits.iter().fold(0, fold))
}

/// A duration as `grpc-timeout`: the finest unit that 8 digits can hold, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcTimeout {
    amount: u64,
    unit: u8,
}

impl GrpcTimeout {
    /// The value for so long.
    #[must_use]
    pub fn from_ns(left_ns: u64) -> Self {
        const LIMIT: u64 = 10_u64.pow(GRPC_DIGITS as u32);
        let [.., (coarsest, hour_ns)] = GRPC_UNITS;
        let fitting = GRPC_UNITS
            .into_iter()
            .find(|(_, unit_ns)| left_ns / unit_ns < LIMIT);
        let (unit, unit_ns) = fitting.unwrap_or((coarsest, hour_ns));
        Self {
            amount: left_ns / unit_ns,
            unit,
        }
    }
}

impl std::fmt::Display for GrpcTimeout {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}{}", self.amount, char::from(self.unit))
    }
}

#[cfg(test)]
mod tests;
