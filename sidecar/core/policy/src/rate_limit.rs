//! Rate limits: token buckets, one or one per key, checked together and charged together.
//!
//! Limits are conjunctive: [`admit`] asks every limit that matches a request and charges all of them, or none;
//! so a refusal by a narrow limit takes nothing from a wide one. A refusal costs a limit nothing, unless it
//! counts its own refusals. An exempt request is charged and never refused.

mod bucket;
mod keys;

pub use bucket::{Bucket, Rate, Shortage};
pub use keys::Key;
use keys::{Keys, Slot};

use crate::draw;

/// The settings of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// How fast tokens come and how many fit.
    pub rate: Rate,
    /// How many keys are remembered.
    pub max_keys: u32,
    /// What becomes of a new key when all remembered ones are in use.
    pub when_keys_full: WhenKeysFull,
    /// Whether the limit is charged for its own refusals.
    pub count_refused: bool,
}

/// What becomes of a new key when all remembered ones are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenKeysFull {
    /// All such keys share one bucket.
    ShareOne,
    /// It is refused.
    Refuse,
    /// It is admitted and not counted.
    Allow,
}

/// One limit with its buckets.
#[derive(Clone, Debug)]
pub struct Limiter {
    params: Params,
    /// The bucket of a limit without keys, and of the keys that found no room.
    shared: Bucket,
    keys: Keys,
}

/// What a request asks of one limit.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    limiter: usize,
    key: Option<Key>,
    cost: u64,
    place: Place,
}

/// Where the bucket that answers for an ask is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Unknown,
    Shared,
    Keyed(Slot),
    /// There is none, and the request is refused or admitted without one.
    Nowhere {
        admits: bool,
    },
}

/// Whether a request may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every limit admits it.
    Admitted,
    /// Some limit refuses it.
    Refused {
        /// The position, among the asks, of the one that takes longest to admit it.
        ask: usize,
        /// A request sent after so long is admitted if nobody else comes; none when no time is known.
        retry_after_ns: Option<u64>,
    },
}

/// What a limit has left, for `RateLimit` headers and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Whole tokens that fit.
    pub capacity: u64,
    /// Whole tokens that are there.
    pub remaining: u64,
    /// The time until there is one whole token more; zero when full.
    pub next_token_ns: u64,
    /// The time until the bucket is full.
    pub refill_ns: u64,
}

impl Ask {
    /// `cost` tokens of the limiter at this position, from the bucket of `key`; none: the one shared bucket.
    #[must_use]
    pub const fn new(limiter: usize, key: Option<Key>, cost: u64) -> Self {
        Self {
            limiter,
            key,
            cost,
            place: Place::Unknown,
        }
    }

    /// The position of the limiter.
    #[must_use]
    pub const fn limiter(&self) -> usize {
        self.limiter
    }
}

/// Asks all limits and charges all, or none. A request asks a limit at most once.
///
/// `exempt` requests are charged what is there and always admitted. Constant in the number of keys, and
/// without allocation unless a key is new.
pub fn admit(limiters: &mut [Limiter], asks: &mut [Ask], exempt: bool, now_ns: u64) -> Verdict {
    let mut verdict = Verdict::Admitted;
    for (position, ask) in asks.iter_mut().enumerate() {
        let limiter = &mut limiters[ask.limiter];
        ask.place = limiter.place(ask.key, now_ns);
        if let Err(shortage) = limiter.check(ask, now_ns) {
            verdict = verdict.or_refused(position, shortage);
        }
    }
    if exempt || verdict == Verdict::Admitted {
        for ask in asks {
            limiters[ask.limiter].charge(ask, now_ns);
        }
        return Verdict::Admitted;
    }
    charge_refusals(limiters, asks, now_ns)
}

/// Charges the limits that refuse and count that; the time to wait is then longer.
fn charge_refusals(limiters: &mut [Limiter], asks: &[Ask], now_ns: u64) -> Verdict {
    let mut verdict = Verdict::Admitted;
    for (position, ask) in asks.iter().enumerate() {
        let limiter = &mut limiters[ask.limiter];
        let refusal = limiter.check(ask, now_ns);
        if limiter.params.count_refused && matches!(refusal, Err(Shortage::For(_))) {
            limiter.charge(ask, now_ns);
        }
        if let (Err(_), Err(shortage)) = (refusal, limiter.check(ask, now_ns)) {
            verdict = verdict.or_refused(position, shortage);
        }
    }
    verdict
}

impl Verdict {
    /// This verdict, or the new refusal if that one takes longer.
    fn or_refused(self, ask: usize, shortage: Shortage) -> Self {
        let wait_ns = match shortage {
            Shortage::For(wait_ns) => Some(wait_ns),
            Shortage::ForEver => None,
        };
        let is_longer = match self {
            Self::Admitted => true,
            Self::Refused {
                retry_after_ns: None,
                ..
            } => false,
            Self::Refused {
                retry_after_ns: Some(longest_ns),
                ..
            } => wait_ns.is_none_or(|wait_ns| wait_ns > longest_ns),
        };
        if is_longer {
            Self::Refused {
                ask,
                retry_after_ns: wait_ns,
            }
        } else {
            self
        }
    }
}

impl Limiter {
    /// A limit of which nothing was used.
    #[must_use]
    pub fn new(params: Params) -> Self {
        Self {
            params,
            shared: Bucket::default(),
            keys: Keys::default(),
        }
    }

    fn place(&mut self, key: Option<Key>, now_ns: u64) -> Place {
        let Some(key) = key else { return Place::Shared };
        let slot = self
            .keys
            .slot(key, self.params.max_keys, &self.params.rate, now_ns);
        match (slot, self.params.when_keys_full) {
            (Some(slot), _) => Place::Keyed(slot),
            (None, WhenKeysFull::ShareOne) => Place::Shared,
            (None, WhenKeysFull::Refuse) => Place::Nowhere { admits: false },
            (None, WhenKeysFull::Allow) => Place::Nowhere { admits: true },
        }
    }

    fn check(&self, ask: &Ask, now_ns: u64) -> Result<(), Shortage> {
        let bucket = match ask.place {
            Place::Keyed(slot) => self.keys.bucket(slot),
            Place::Unknown | Place::Shared => &self.shared,
            Place::Nowhere { admits: true } => return Ok(()),
            Place::Nowhere { admits: false } => return Err(Shortage::ForEver),
        };
        bucket.check(&self.params.rate, ask.cost, now_ns)
    }

    fn charge(&mut self, ask: &Ask, now_ns: u64) {
        let bucket = match ask.place {
            Place::Keyed(slot) => self.keys.bucket_mut(slot),
            Place::Unknown | Place::Shared => &mut self.shared,
            Place::Nowhere { .. } => return,
        };
        bucket.charge(&self.params.rate, ask.cost, now_ns);
    }

    /// What is left in the bucket that answers for `key`; a key not remembered has everything left.
    #[must_use]
    pub fn view(&self, key: Option<Key>, now_ns: u64) -> View {
        let full = Bucket::default();
        let bucket = key.map_or(&self.shared, |key| self.keys.find(key).unwrap_or(&full));
        self.view_of(bucket, now_ns)
    }

    /// What is left in the bucket that answered for an ask.
    #[must_use]
    pub fn view_after(&self, ask: &Ask, now_ns: u64) -> View {
        match ask.place {
            Place::Keyed(slot) => self.view_of(self.keys.bucket(slot), now_ns),
            _ => self.view_of(&self.shared, now_ns),
        }
    }

    fn view_of(&self, bucket: &Bucket, now_ns: u64) -> View {
        let rate = &self.params.rate;
        View {
            capacity: rate.capacity(),
            remaining: bucket.remaining(rate, now_ns),
            next_token_ns: bucket.next_token_ns(rate, now_ns),
            refill_ns: bucket.refill_ns(rate, now_ns),
        }
    }

    /// Forgets some keys that are full again; for a slow, steady pulse.
    pub fn forget_full(&mut self, now_ns: u64) {
        self.keys.forget_full(&self.params.rate, now_ns);
    }

    /// Takes new settings and keeps what was used, key by key.
    pub fn reconfigure(&mut self, params: Params, now_ns: u64) {
        if params.rate != self.params.rate {
            self.shared = self
                .shared
                .converted(&self.params.rate, &params.rate, now_ns);
            self.keys.convert(&self.params.rate, &params.rate, now_ns);
        }
        self.params = params;
    }

    /// The fewest whole tokens left in any bucket; costs a look at each key.
    #[must_use]
    pub fn least_remaining(&self, now_ns: u64) -> u64 {
        let rate = &self.params.rate;
        let remaining = |bucket: &Bucket| bucket.remaining(rate, now_ns);
        let keyed = self.keys.buckets().map(remaining).min();
        remaining(&self.shared).min(keyed.unwrap_or(u64::MAX))
    }

    /// Keys remembered.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// The settings in force.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }
}

/// `Retry-After`: whole seconds, rounded up, at least 1, with up to 10 % more by chance.
#[must_use]
pub const fn retry_after_seconds(wait_ns: u64, draw: u64) -> u64 {
    rounded_up(wait_ns, 1_000_000_000, draw)
}

/// `grpc-retry-pushback-ms`: whole milliseconds, rounded up, at least 1, with up to 10 % more by chance.
#[must_use]
pub const fn pushback_ms(wait_ns: u64, draw: u64) -> u64 {
    rounded_up(wait_ns, 1_000_000, draw)
}

const fn rounded_up(wait_ns: u64, unit_ns: u64, draw: u64) -> u64 {
    let whole = wait_ns.div_ceil(unit_ns);
    let whole = if whole == 0 { 1 } else { whole };
    whole + draw::up_to(draw, whole / 10)
}

#[cfg(test)]
mod tests;
