//! Fixed window: so many per window, and the next window begins with nothing used.
//!
//! Windows follow the calendar, or begin with the first request after the last one ended. A cell remembers in
//! which window it counted, by its number or by where it began, and counts nothing of another one.

use super::cell::{self, Cell, Charge, Demand, Shortage};
use super::rate::{Rate, Share};
use super::windows::Windows;
use crate::moment::Moment;

/// The figures of a fixed window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    share: Share,
    per_ns: u64,
    /// None when windows begin with the first request.
    calendar: Option<Windows>,
    /// The last window of a calendar before, so that none has its number again.
    last: u64,
}

impl Terms {
    pub(super) fn new(rate: &Rate, aligned: bool) -> Self {
        Self {
            share: rate.share(),
            per_ns: rate.per_ns(),
            calendar: aligned.then(|| Windows::new(rate.per_ns(), 1)),
            last: 0,
        }
    }

    fn has_windows_of(&self, other: &Self) -> bool {
        match (&self.calendar, &other.calendar) {
            (Some(calendar), Some(other)) => calendar.is_like(other),
            (None, None) => true,
            _ => false,
        }
    }
}

impl cell::Terms for Terms {
    #[inline]
    fn advance(&mut self, moment: Moment) {
        if let Some(calendar) = &mut self.calendar {
            calendar.advance(moment);
        }
    }

    fn follow(&mut self, old: &Self) {
        self.last = old.calendar.map_or(old.last, |calendar| calendar.number());
        match (&mut self.calendar, &old.calendar) {
            (Some(calendar), Some(old)) => calendar.follow(old),
            (Some(calendar), None) => calendar.begin_after(old.last),
            (None, _) => {}
        }
    }
}

/// What was counted in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FixedWindow {
    /// The number of the window, or the instant at which it began.
    window: u64,
    count: u64,
}

impl FixedWindow {
    fn is_current(&self, terms: &Terms, now_ns: u64) -> bool {
        match terms.calendar {
            Some(calendar) => self.window == calendar.number(),
            None => now_ns < self.window.saturating_add(terms.per_ns),
        }
    }

    fn count(&self, terms: &Terms, now_ns: u64) -> u64 {
        if self.is_current(terms, now_ns) {
            self.count
        } else {
            0
        }
    }

    fn ends_at_ns(&self, terms: &Terms) -> u64 {
        match terms.calendar {
            Some(calendar) => calendar.instant_ns(1, 0),
            None => self.window.saturating_add(terms.per_ns),
        }
    }
}

impl Cell for FixedWindow {
    type Terms = Terms;

    #[inline]
    fn check(&self, terms: &Terms, demand: Demand, now_ns: u64) -> Result<u64, Shortage> {
        let count = self.count(terms, now_ns);
        if terms.share.covers(count.saturating_add(demand.cost)) {
            Ok(0)
        } else if terms.share.covers(demand.cost) {
            Err(Shortage::For(self.ends_at_ns(terms) - now_ns))
        } else {
            Err(Shortage::ForEver)
        }
    }

    #[inline]
    fn charge(&mut self, terms: &Terms, cost: u64, _serial: u64, now_ns: u64) -> Charge {
        let count = self.count(terms, now_ns);
        if count == 0 {
            self.window = terms.calendar.map_or(now_ns, |calendar| calendar.number());
        }
        self.count = count.saturating_add(cost);
        Charge {
            stamp: self.window,
            evicted: None,
        }
    }

    fn refund(&mut self, _terms: &Terms, cost: u64, stamp: u64, _now_ns: u64) {
        if self.window == stamp {
            self.count = self.count.saturating_sub(cost);
        }
    }

    fn fresh_at_ns(&self, terms: &Terms, now_ns: u64) -> Option<u64> {
        (self.count(terms, now_ns) > 0).then(|| self.ends_at_ns(terms))
    }

    /// What was used stays used; where windows are others, in the one that is current now. A window that is over stays
    /// over, also where windows are longer from now on.
    fn convert(&mut self, from: &Terms, to: &Terms, now_ns: u64) {
        let count = self.count(from, now_ns);
        if count == 0 {
            *self = Self::default();
        } else if !to.has_windows_of(from) {
            *self = Self::default();
            self.charge(to, count, 0, now_ns);
        }
    }

    fn capacity(terms: &Terms) -> u64 {
        terms.share.whole()
    }

    fn remaining(&self, terms: &Terms, now_ns: u64) -> u64 {
        terms
            .share
            .whole()
            .saturating_sub(self.count(terms, now_ns))
    }

    fn full_after_ns(&self, terms: &Terms, now_ns: u64) -> Option<u64> {
        let count = self.count(terms, now_ns);
        Some(if count == 0 {
            0
        } else {
            self.ends_at_ns(terms) - now_ns
        })
    }
}
