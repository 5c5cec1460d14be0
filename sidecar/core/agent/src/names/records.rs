//! The records of one family of a host: what was found last, and when to look again. Pure.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::refusal;

/// Bounds of the time to live that an answer states.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// Rest after there were no records, or none that leads anywhere, where that is believed.
const ABSENT: Duration = Duration::from_secs(60);
/// Rest after a first failure; it doubles with each further one.
const FIRST_FAILURE: Duration = Duration::from_secs(1);
const LONGEST_FAILURE: Duration = Duration::from_secs(30);
/// Share of a time to live by which lookups are spread.
const SPREAD: f64 = 0.1;
/// Addresses taken from one answer.
const ADDRESSES: usize = 64;

/// Which records: A or AAAA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    V4,
    V6,
}

/// What a lookup found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) addresses: Vec<IpAddr>,
    /// Addresses that nothing leads to from this host, as those of IPv6 where there is only IPv4.
    pub(crate) unreachable: Vec<IpAddr>,
    /// How long it holds by its own account.
    pub(crate) ttl: Duration,
}

/// Why a lookup found nothing to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There is no such name.
    Unknown,
    /// The name has no such records.
    Empty,
    /// No address found may be called.
    Refused,
    /// Nothing leads to any address found.
    Unreachable,
    /// The server failed, refused, or could not be reached.
    Server,
    /// No answer in time.
    Timeout,
}

pub(crate) type Answer = Result<Found, Failure>;

/// The records of one family.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// What was found last, sorted; without what must not be called.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) confirmed_at: Option<Instant>,
    /// Addresses found that must not be called, with the reason.
    pub(super) refused: Vec<String>,
    pub(super) failure: Option<Failure>,
    pub(super) failures: u32,
    pub(super) is_asked: bool,
    /// When the next lookup is due; `None` before the first.
    pub(super) due: Option<Instant>,
}

impl Family {
    pub(crate) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// Whether `address` is of this family.
    pub(super) const fn has(self, address: IpAddr) -> bool {
        matches!(
            (self, address),
            (Self::V4, IpAddr::V4(_)) | (Self::V6, IpAddr::V6(_))
        )
    }

    /// The type of its records.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "A",
            Self::V6 => "AAAA",
        }
    }
}

impl Failure {
    pub(crate) const ALL: [Self; 6] = [
        Self::Unknown,
        Self::Empty,
        Self::Refused,
        Self::Unreachable,
        Self::Server,
        Self::Timeout,
    ];

    /// The word in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Empty => "empty",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Server => "server",
            Self::Timeout => "timeout",
        }
    }

    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Unknown => "no such name (NXDOMAIN)",
            Self::Empty => "no such records",
            Self::Refused => "no address that may be called",
            Self::Unreachable => "no address that a route leads to",
            Self::Server => "the server failed (as SERVFAIL)",
            Self::Timeout => "no answer in time",
        }
    }
}

impl Records {
    /// Whether they were found by the last lookup.
    pub(super) fn is_good(&self) -> bool {
        self.failure.is_none() && !self.addresses.is_empty()
    }

    /// Whether a lookup has ended since they are asked for.
    pub(super) const fn is_known(&self) -> bool {
        self.due.is_some()
    }

    /// Takes the outcome of a lookup in. `is_backed`: the other family is good, so that this one may have none.
    pub(super) fn answered(&mut self, answer: Answer, is_backed: bool, now: Instant, draw: f64) {
        self.is_asked = false;
        if !matches!(answer, Err(Failure::Server | Failure::Timeout)) {
            self.refused.clear(); // it was said what there is now
        }
        let delay = match answer.and_then(|found| self.admit(found)) {
            Ok(found) => self.take(found, now, draw),
            Err(Failure::Empty | Failure::Unreachable) if is_backed => self.clear(draw),
            Err(failure) => self.fail(failure, draw),
        };
        self.due = Some(now + delay);
    }

    /// `found` without what must not be called.
    fn admit(&mut self, found: Found) -> Answer {
        let (mut addresses, mut refused) = (Vec::new(), Vec::new());
        for address in found.addresses {
            match refusal::reason(address) {
                None => addresses.push(address),
                Some(reason) => refused.push(format!("{address} is {reason}")),
            }
        }
        let failure = match refused[..] {
            [] => Failure::Unreachable,
            _ => Failure::Refused,
        };
        let unreachable = found.unreachable.iter();
        refused.extend(unreachable.map(|address| format!("{address} has no route to it")));
        refused.truncate(ADDRESSES);
        self.refused = refused;
        if addresses.is_empty() {
            return Err(failure);
        }
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(ADDRESSES);
        Ok(Found {
            addresses,
            unreachable: Vec::new(),
            ttl: found.ttl,
        })
    }

    fn take(&mut self, found: Found, now: Instant, draw: f64) -> Duration {
        self.addresses = found.addresses;
        self.confirmed_at = Some(now);
        self.succeed();
        spread(found.ttl.clamp(SHORTEST, LONGEST), draw)
    }

    fn clear(&mut self, draw: f64) -> Duration {
        self.addresses.clear();
        self.confirmed_at = None;
        self.succeed();
        spread(ABSENT, draw)
    }

    const fn succeed(&mut self) {
        self.failure = None;
        self.failures = 0;
    }

    fn fail(&mut self, failure: Failure, draw: f64) -> Duration {
        let grown = FIRST_FAILURE.saturating_mul(1 << self.failures.min(16));
        self.failure = Some(failure);
        self.failures = self.failures.saturating_add(1);
        grown.min(LONGEST_FAILURE).mul_f64(0.5 + draw / 2.0)
    }
}

fn spread(rest: Duration, draw: f64) -> Duration {
    rest + rest.mul_f64(SPREAD * draw)
}
