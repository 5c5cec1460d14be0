//! Sliding window counter: the slices that are whole, and of the oldest one the part that is still in view.
//!
//! With `k` slices of `per / k`, S0 the current one, a request of cost `n` is admitted iff
//! `Sk x (1 - elapsed / slice) + S0 + ... + S(k-1) + n <= limit`: no entry per request, and close to exact. That
//! sum falls steadily while nobody comes, slice by slice, so the instant at which a refused request fits is known.

use super::cell::{self, Cell, Charge, Demand, Shortage};
use super::rate::{Rate, Share, narrow};
use super::windows::Windows;
use crate::moment::Moment;

/// The figures of a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    share: Share,
    slices: Windows,
}

impl Terms {
    pub(super) fn new(rate: &Rate, buckets: u32) -> Self {
        Self {
            share: rate.share(),
            slices: Windows::new(rate.per_ns(), buckets),
        }
    }

    /// The oldest slice in view.
    const fn oldest(&self) -> u32 {
        self.slices.slices()
    }

    /// Counts times the parts of a slice for which they are in view, weighed against the limit.
    const fn weight(&self, count: u64, parts: u64) -> u128 {
        (count as u128 * parts as u128).saturating_mul(self.share.members() as u128)
    }

    const fn limit(&self) -> u128 {
        self.share.figure() as u128 * self.slices.per_ns() as u128
    }
}

impl cell::Terms for Terms {
    #[inline]
    fn advance(&mut self, moment: Moment) {
        self.slices.advance(moment);
    }

    fn follow(&mut self, old: &Self) {
        self.slices.follow(&old.slices);
    }
}

/// What was counted in the slices that are in view.
#[derive(Clone, Debug, Default)]
pub(super) struct SlidingWindow {
    /// The newest slice with a count, by its number.
    newest: u64,
    /// The counts, each slice at the remainder of its number; empty before the first.
    counts: Box<[u64]>,
}

impl SlidingWindow {
    /// What was counted `age` slices ago.
    fn slice(&self, terms: &Terms, age: u32) -> u64 {
        let number = terms.slices.number().checked_sub(u64::from(age));
        let in_view = number.filter(|&number| {
            number <= self.newest && self.newest - number < self.counts.len() as u64
        });
        in_view.map_or(0, |number| self.counts[self.place(number)])
    }

    fn place(&self, number: u64) -> usize {
        (number % self.counts.len() as u64) as usize
    }

    /// What was counted less than `age` slices ago.
    fn sum(&self, terms: &Terms, age: u32) -> u64 {
        (0..age).fold(0, |sum, age| sum.saturating_add(self.slice(terms, age)))
    }

    /// The sum in view, weighed.
    fn used(&self, terms: &Terms, now_ns: u64) -> u128 {
        let per = terms.slices.per_ns();
        let (whole, tail) = (
            self.sum(terms, terms.oldest()),
            self.slice(terms, terms.oldest()),
        );
        let in_view = per - terms.slices.elapsed(now_ns);
        terms
            .weight(whole, per)
            .saturating_add(terms.weight(tail, in_view))
    }

    /// The first instant at which what is in view is at most `room`, weighed.
    fn falls_to_at_ns(&self, terms: &Terms, room: u128) -> u64 {
        let (oldest, per) = (terms.oldest(), terms.slices.per_ns());
        for later in 0..=oldest {
            let whole = terms.weight(self.sum(terms, oldest - later), per);
            let Some(rest) = room.checked_sub(whole) else {
                continue;
            };
            let weight = terms.weight(self.slice(terms, oldest - later), 1);
            let in_view = rest
                .checked_div(weight)
                .map_or(per, |parts| narrow(parts).min(per));
            return terms.slices.instant_ns(later, per - in_view);
        }
        u64::MAX
    }

    /// Makes room for the current slice and forgets those that are out of view.
    fn turn(&mut self, terms: &Terms) {
        let (number, length) = (terms.slices.number(), terms.oldest() as usize + 1);
        if self.counts.is_empty() {
            self.counts = vec![0; length].into();
            self.newest = number;
        }
        let passed = number.saturating_sub(self.newest).min(length as u64);
        for age in 0..passed {
            self.counts[self.place(number - age)] = 0;
        }
        self.newest = number;
    }
}

impl Cell for SlidingWindow {
    type Terms = Terms;

    #[inline]
    fn check(&self, terms: &Terms, demand: Demand, now_ns: u64) -> Result<u64, Shortage> {
        let cost = terms.weight(demand.cost, terms.slices.per_ns());
        let Some(room) = terms.limit().checked_sub(cost) else {
            return Err(Shortage::ForEver);
        };
        if self.used(terms, now_ns) <= room {
            return Ok(0);
        }
        Err(Shortage::For(
            self.falls_to_at_ns(terms, room).saturating_sub(now_ns),
        ))
    }

    #[inline]
    fn charge(&mut self, terms: &Terms, cost: u64, _serial: u64, _now_ns: u64) -> Charge {
        self.turn(terms);
        let place = self.place(self.newest);
        self.counts[place] = self.counts[place].saturating_add(cost);
        Charge {
            stamp: self.newest,
            evicted: None,
        }
    }

    fn refund(&mut self, _terms: &Terms, cost: u64, stamp: u64, _now_ns: u64) {
        if stamp <= self.newest && self.newest - stamp < self.counts.len() as u64 {
            let place = self.place(stamp);
            self.counts[place] = self.counts[place].saturating_sub(cost);
        }
    }

    fn fresh_at_ns(&self, terms: &Terms, now_ns: u64) -> Option<u64> {
        (self.used(terms, now_ns) > 0).then(|| self.falls_to_at_ns(terms, 0))
    }

    /// What was used stays used; where slices are others, in the one that is current now.
    fn convert(&mut self, from: &Terms, to: &Terms, now_ns: u64) {
        if from.slices.is_like(&to.slices) {
            return;
        }
        let one = from.weight(1, from.slices.per_ns());
        let used = narrow(self.used(from, now_ns).div_ceil(one));
        *self = Self::default();
        self.charge(to, used, 0, now_ns);
    }

    fn capacity(terms: &Terms) -> u64 {
        terms.share.whole()
    }

    fn remaining(&self, terms: &Terms, now_ns: u64) -> u64 {
        let room = terms.limit().saturating_sub(self.used(terms, now_ns));
        narrow(room / terms.weight(1, terms.slices.per_ns()))
    }

    fn full_after_ns(&self, terms: &Terms, now_ns: u64) -> Option<u64> {
        let fresh_at_ns = self.fresh_at_ns(terms, now_ns);
        Some(fresh_at_ns.map_or(0, |at_ns| at_ns.saturating_sub(now_ns)))
    }
}
