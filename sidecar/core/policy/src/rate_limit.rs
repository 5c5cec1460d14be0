//! Rate limits: one count or one per key, by any of six algorithms, checked together and charged together.
//!
//! **Theory of operation.** Limits are conjunctive: [`admit`] asks every limit that matches a request and charges
//! all of them, or none; so a refusal by a narrow limit takes nothing from a wide one. A refusal costs a limit
//! nothing, unless it counts its own refusals. An exempt request is charged and never refused. What was charged
//! stays charged, whatever becomes of the request later; only those give it back who leave while they wait in the
//! line of a leaky bucket ([`Limiter::refund`]), and requests in flight that end ([`Limiter::release`]).
//!
//! | algorithm | a request of cost n is admitted iff | as new again |
//! |---|---|---|
//! | `TokenBucket` | n tokens are there | when full |
//! | `LeakyBucket` | its turn comes soon enough, and there is a place to wait for it | when the next one could leave at once |
//! | `FixedWindow` | count + n <= limit | with the next window |
//! | `SlidingLog` | what was admitted in (now - per, now], + n <= limit | one `per` after the last one |
//! | `SlidingWindow` | oldest slice's part in view + the others + n <= limit | when the last slice with a count is out of view |
//! | `Concurrency` | those in flight + n <= limit | when none is |
//!
//! Figures are exact: rates are rational numbers, shares of a rate too, and times are integers of nanoseconds,
//! rounded up once, at the end.

pub mod adaptive;
mod admission;
mod ask;
pub mod bandwidth;
mod cell;
mod concurrency;
mod fixed_window;
mod keys;
mod leaky_bucket;
mod rate;
mod sliding_log;
mod sliding_window;
pub mod strain;
mod table;
mod token_bucket;
mod windows;

pub use admission::{Verdict, admit};
pub use ask::{Arrival, Ask};
use cell::{Cell, Shortage};
use concurrency::InFlight;
use fixed_window::FixedWindow;
pub use keys::Key;
use leaky_bucket::LeakyBucket;
pub use leaky_bucket::{Evict, Leak};
pub use rate::{Rate, Share};
use sliding_log::SlidingLog;
use sliding_window::SlidingWindow;
use table::{Counts, Table};
pub use table::{Left, Standing, View};
use token_bucket::TokenBucket;

use crate::moment::Moment;
use crate::{Reason, draw};

/// The settings of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// What is counted, and how much of it is admitted.
    pub algorithm: Algorithm,
    /// How many keys are remembered.
    pub max_keys: u32,
    /// What becomes of a new key when all remembered ones are in use.
    pub when_keys_full: WhenKeysFull,
    /// Whether the limit is charged for its own refusals.
    pub count_refused: bool,
}

/// How requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Tokens that come continuously.
    TokenBucket {
        /// How fast.
        rate: Rate,
        /// How many fit, before the rate is divided; unset: those of a second, at least 1.
        burst: Option<u64>,
    },
    /// A line that moves at a fixed rate.
    LeakyBucket(Leak),
    /// So many per window.
    FixedWindow {
        /// How many, and how long a window is.
        rate: Rate,
        /// Whether windows follow the calendar; otherwise they begin with the first request.
        aligned: bool,
    },
    /// So many in any stretch of time.
    SlidingLog {
        /// How many, and how long.
        rate: Rate,
    },
    /// As good as that, from a few counts.
    SlidingWindow {
        /// How many, and how long a window is.
        rate: Rate,
        /// Slices of a window.
        buckets: u32,
    },
    /// So many in flight.
    Concurrency(Share),
}

/// What becomes of a new key when all remembered ones are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenKeysFull {
    /// All such keys share one count.
    ShareOne,
    /// It is refused.
    Refuse,
    /// It is admitted and not counted.
    Allow,
}

/// One limit with its counts.
#[derive(Debug)]
pub struct Limiter {
    params: Params,
    counts: Box<dyn Counts>,
    /// Changes when counts begin anew, so that no older charge is taken back from them.
    generation: u32,
}

impl Algorithm {
    /// The rate; none of what is in flight.
    #[must_use]
    pub const fn rate(&self) -> Option<Rate> {
        match *self {
            Self::TokenBucket { rate, .. }
            | Self::LeakyBucket(Leak { rate, .. })
            | Self::FixedWindow { rate, .. }
            | Self::SlidingLog { rate }
            | Self::SlidingWindow { rate, .. } => Some(rate),
            Self::Concurrency(_) => None,
        }
    }

    /// The figure that people wrote: requests of the rate, or in flight.
    #[must_use]
    pub const fn quota(&self) -> u64 {
        match *self {
            Self::Concurrency(share) => share.figure(),
            Self::TokenBucket { rate, .. }
            | Self::LeakyBucket(Leak { rate, .. })
            | Self::FixedWindow { rate, .. }
            | Self::SlidingLog { rate }
            | Self::SlidingWindow { rate, .. } => rate.requests(),
        }
    }

    /// What a refusal is called.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::TokenBucket { .. } => Reason::RatelimitToken,
            Self::LeakyBucket(_) => Reason::RatelimitLeakyFull,
            Self::FixedWindow { .. } => Reason::RatelimitFixed,
            Self::SlidingLog { .. } => Reason::RatelimitSlidingLog,
            Self::SlidingWindow { .. } => Reason::RatelimitSlidingWindow,
            Self::Concurrency(_) => Reason::RatelimitConcurrency,
        }
    }

    /// The same with another figure in the place of the one that people wrote; of the whole.
    #[must_use]
    pub const fn of(self, figure: u64) -> Self {
        match self {
            Self::TokenBucket { rate, burst } => Self::TokenBucket {
                rate: Rate::new(figure, rate.per_ns()),
                burst,
            },
            Self::LeakyBucket(leak) => Self::LeakyBucket(Leak {
                rate: Rate::new(figure, leak.rate.per_ns()),
                ..leak
            }),
            Self::FixedWindow { rate, aligned } => Self::FixedWindow {
                rate: Rate::new(figure, rate.per_ns()),
                aligned,
            },
            Self::SlidingLog { rate } => Self::SlidingLog {
                rate: Rate::new(figure, rate.per_ns()),
            },
            Self::SlidingWindow { rate, buckets } => Self::SlidingWindow {
                rate: Rate::new(figure, rate.per_ns()),
                buckets,
            },
            Self::Concurrency(_) => Self::Concurrency(Share::new(figure, 1)),
        }
    }

    /// The share of one of so many live `members`; of none, the whole. Places in a line are not divided.
    #[must_use]
    pub const fn divided(self, members: u32) -> Self {
        match self {
            Self::TokenBucket { rate, burst } => Self::TokenBucket {
                rate: rate.divided(members),
                burst,
            },
            Self::LeakyBucket(leak) => Self::LeakyBucket(Leak {
                rate: leak.rate.divided(members),
                ..leak
            }),
            Self::FixedWindow { rate, aligned } => Self::FixedWindow {
                rate: rate.divided(members),
                aligned,
            },
            Self::SlidingLog { rate } => Self::SlidingLog {
                rate: rate.divided(members),
            },
            Self::SlidingWindow { rate, buckets } => Self::SlidingWindow {
                rate: rate.divided(members),
                buckets,
            },
            Self::Concurrency(share) => Self::Concurrency(Share::new(share.figure(), members)),
        }
    }

    fn counts(&self) -> Box<dyn Counts> {
        match *self {
            Self::TokenBucket { rate, burst } => {
                table::<TokenBucket>(token_bucket::Terms::new(&rate, burst))
            }
            Self::LeakyBucket(leak) => table::<LeakyBucket>(leaky_bucket::Terms::new(&leak)),
            Self::FixedWindow { rate, aligned } => {
                table::<FixedWindow>(fixed_window::Terms::new(&rate, aligned))
            }
            Self::SlidingLog { rate } => table::<SlidingLog>(sliding_log::Terms::new(&rate)),
            Self::SlidingWindow { rate, buckets } => {
                table::<SlidingWindow>(sliding_window::Terms::new(&rate, buckets))
            }
            Self::Concurrency(share) => table::<InFlight>(share),
        }
    }
}

fn table<C: Cell>(terms: C::Terms) -> Box<dyn Counts> {
    Box::new(Table::<C>::new(terms))
}

impl Limiter {
    /// A limit of which nothing was used.
    #[must_use]
    pub fn new(params: Params) -> Self {
        Self {
            counts: params.algorithm.counts(),
            params,
            generation: 0,
        }
    }

    #[inline]
    fn check(&mut self, ask: &mut Ask, arrival: &Arrival) -> Result<u64, Shortage> {
        ask.generation = self.generation;
        self.counts.check(ask, &self.params, arrival)
    }

    #[inline]
    fn admit(&mut self, ask: &mut Ask, arrival: &Arrival) -> Result<u64, Shortage> {
        ask.generation = self.generation;
        self.counts.admit(ask, &self.params, arrival)
    }

    /// Charges what an answer turned out to cost, if need be more than there is; nothing where counts began anew since
    /// it was asked.
    pub fn charge_after(&mut self, ask: &mut Ask, cost: u64, at: Moment) {
        if ask.generation == self.generation {
            self.counts.charge_after(ask, cost, &self.params, at);
        }
    }

    /// Takes a charge back, of a request that left while it waited. Does nothing the second time.
    pub fn refund(&mut self, ask: &mut Ask, at: Moment) {
        if ask.generation == self.generation {
            self.counts.refund(ask, at);
        }
    }

    /// Takes a request out of those in flight. Does nothing the second time, nor to other algorithms.
    pub fn release(&mut self, ask: &mut Ask, at: Moment) {
        if ask.generation == self.generation {
            self.counts.release(ask, at);
        }
    }

    /// Where a request stands in the line it was admitted to.
    pub fn standing(&mut self, ask: &mut Ask, at: Moment) -> Standing {
        if ask.generation == self.generation {
            self.counts.standing(ask, at)
        } else {
            Standing::Free
        }
    }

    /// Whether somebody in a line left or was evicted since the last call: then all who wait should look again.
    pub fn take_stir(&mut self) -> bool {
        self.counts.take_stir()
    }

    /// Finds where an ask is answered, as if it came now; nothing is charged.
    pub fn find(&mut self, ask: &mut Ask, at: Moment) {
        let arrival = Arrival {
            at,
            left_ns: None,
            is_exempt: false,
        };
        let _any = self.check(ask, &arrival);
    }

    /// The time after which what an ask wants is there if nobody else comes; none when nobody knows.
    #[must_use]
    pub fn retry_after_ns(&self, ask: &Ask, at: Moment) -> Option<u64> {
        let shortage = self.counts.shortage(ask, at);
        shortage.map_or_else(Shortage::time_ns, |_turn_ns| Some(0))
    }

    /// What is left for `key`; a key not remembered has everything left.
    #[must_use]
    pub fn view(&self, key: Option<Key>, at: Moment) -> View {
        self.counts.view(key, at)
    }

    /// The same where an ask is answered.
    #[must_use]
    pub fn view_of(&self, ask: &Ask, at: Moment) -> View {
        self.counts.view(ask.cell_key(), at)
    }

    /// What is left where an ask was answered.
    #[must_use]
    pub fn left_after(&self, ask: &Ask, at: Moment) -> Left {
        self.counts.left(ask.cell_key(), at)
    }

    /// Forgets some keys that are as new; for a slow, steady pulse.
    pub fn forget_fresh(&mut self, at: Moment) {
        self.counts.forget_fresh(at);
    }

    /// Takes new settings and keeps what was used, key by key, unless the algorithm is another one.
    pub fn reconfigure(&mut self, params: Params, at: Moment) {
        if params.algorithm != self.params.algorithm {
            let counts = params.algorithm.counts();
            let old = std::mem::replace(&mut self.counts, counts);
            if !self.counts.take_over(old, at) {
                self.generation += 1;
            }
        }
        self.params = params;
    }

    /// Begins anew, perhaps as another limit: nothing is used, and no older charge is taken back.
    pub fn renew(&mut self, params: Params) {
        *self = Self {
            generation: self.generation.wrapping_add(1),
            ..Self::new(params)
        };
    }

    /// The fewest requests that any key has left; costs a look at each.
    #[must_use]
    pub fn least_remaining(&self, at: Moment) -> u64 {
        self.counts.least_remaining(at)
    }

    /// The most requests of cost 1 that it ever admits at once.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.counts.capacity()
    }

    /// Keys remembered.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.counts.keys()
    }

    /// Another number for other counts: those of a limiter that began anew.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
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
pub(crate) mod tests;
