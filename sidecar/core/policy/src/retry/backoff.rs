//! How long to wait before a retry.

use crate::backoff::{Multiplier, exponential};
use crate::draw;

/// The shape of the delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// No delay.
    Immediate,
    /// `base`.
    Fixed,
    /// `min(max, base x multiplier^n)`.
    Exponential,
    /// That, plus up to `jitter`.
    ExponentialJitter,
    /// Anything up to `min(max, base x multiplier^n)`.
    FullJitter,
    /// Anything from `base` to three times the previous delay, at most `max`.
    Decorrelated,
}

/// A strategy with its figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The shape.
    pub strategy: Strategy,
    /// The first delay.
    pub base_ns: u64,
    /// Growth with each retry.
    pub multiplier: Multiplier,
    /// The longest delay, before the jitter of `ExponentialJitter`.
    pub max_ns: u64,
    /// What `ExponentialJitter` adds at most.
    pub jitter_ns: u64,
}

impl Backoff {
    /// The delay before retry `n`, 0 for the first, given the delay before the last one.
    #[must_use]
    pub fn delay_ns(&self, n: u32, previous_ns: Option<u64>, draw: u64) -> u64 {
        let grown_ns = || exponential(self.base_ns, self.multiplier, self.max_ns, n);
        match self.strategy {
            Strategy::Immediate => 0,
            Strategy::Fixed => self.base_ns,
            Strategy::Exponential => grown_ns(),
            Strategy::ExponentialJitter => {
                grown_ns().saturating_add(draw::up_to(draw, self.jitter_ns))
            }
            Strategy::FullJitter => draw::up_to(draw, grown_ns()),
            Strategy::Decorrelated => self.decorrelated_ns(previous_ns, draw),
        }
    }

    fn decorrelated_ns(&self, previous_ns: Option<u64>, draw: u64) -> u64 {
        let longest_ns = previous_ns.unwrap_or(self.base_ns).saturating_mul(3);
        draw::between(draw, self.base_ns, longest_ns).min(self.max_ns)
    }
}
