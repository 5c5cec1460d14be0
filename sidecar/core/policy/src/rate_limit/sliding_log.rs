//! Sliding log: exact. Admits a request if those admitted in `(now - per, now]` leave it room.
//!
//! The log has an entry per instant and cost. What is more than the limit can ever need is dropped from its old
//! end, so that it never has more entries than the limit has requests, whatever is exempt or counted though refused.

use std::collections::VecDeque;

use super::cell::{self, Cell, Charge, Demand, Shortage};
use super::rate::{Rate, Share};

/// A cost above this fills every limit that a log may have just as well, and no sum of such costs overflows.
const MOST: u64 = 1 << 32;

/// The figures of a sliding log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    share: Share,
    per_ns: u64,
}

impl Terms {
    pub(super) const fn new(rate: &Rate) -> Self {
        Self {
            share: rate.share(),
            per_ns: rate.per_ns(),
        }
    }
}

impl cell::Terms for Terms {}

/// What was admitted, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct SlidingLog {
    entries: VecDeque<Entry>,
    size: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at_ns: u64,
    cost: u64,
}

impl Entry {
    const fn ends_at_ns(&self, terms: &Terms) -> u64 {
        self.at_ns.saturating_add(terms.per_ns)
    }
}

impl SlidingLog {
    /// What of the log is past.
    fn past(&self, terms: &Terms, now_ns: u64) -> usize {
        match self.entries.front() {
            Some(oldest) if oldest.ends_at_ns(terms) <= now_ns => self
                .entries
                .partition_point(|entry| entry.ends_at_ns(terms) <= now_ns),
            _ => 0,
        }
    }

    fn size(&self, terms: &Terms, now_ns: u64) -> u64 {
        let past = self.entries.range(..self.past(terms, now_ns));
        self.size - past.map(|entry| entry.cost).sum::<u64>()
    }

    fn drop_oldest(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.size -= entry.cost;
        }
    }

    /// Drops entries without which the rest still fills the limit.
    fn trim(&mut self, terms: &Terms) {
        let whole = terms.share.whole();
        while self
            .entries
            .front()
            .is_some_and(|oldest| self.size - oldest.cost >= whole)
        {
            self.drop_oldest();
        }
    }

    /// When enough is past for a cost that fits into the limit.
    fn room_at_ns(&self, terms: &Terms, cost: u64, now_ns: u64) -> Option<u64> {
        let mut size = self.size(terms, now_ns);
        let current = self.entries.range(self.past(terms, now_ns)..);
        let mut ends_ns = current.map(|entry| {
            size -= entry.cost;
            (
                entry.ends_at_ns(terms),
                terms.share.covers(size.saturating_add(cost)),
            )
        });
        ends_ns.find_map(|(ends_ns, is_enough)| is_enough.then_some(ends_ns))
    }
}

impl Cell for SlidingLog {
    type Terms = Terms;

    fn settle(&mut self, terms: &Terms, now_ns: u64) {
        while self
            .entries
            .front()
            .is_some_and(|oldest| oldest.ends_at_ns(terms) <= now_ns)
        {
            self.drop_oldest();
        }
    }

    #[inline]
    fn check(&self, terms: &Terms, demand: Demand, now_ns: u64) -> Result<u64, Shortage> {
        if !terms.share.covers(demand.cost) {
            return Err(Shortage::ForEver);
        }
        let size = self.size(terms, now_ns).saturating_add(demand.cost);
        if terms.share.covers(size) {
            return Ok(0);
        }
        let room_at_ns = self.room_at_ns(terms, demand.cost, now_ns);
        Err(room_at_ns.map_or(Shortage::ForEver, |at_ns| Shortage::For(at_ns - now_ns)))
    }

    #[inline]
    fn charge(&mut self, terms: &Terms, cost: u64, _serial: u64, now_ns: u64) -> Charge {
        let cost = cost.min(MOST);
        match self.entries.back_mut() {
            _ if cost == 0 => {}
            Some(newest) if newest.at_ns == now_ns => newest.cost += cost,
            _ => self.entries.push_back(Entry {
                at_ns: now_ns,
                cost,
            }),
        }
        self.size += cost;
        self.trim(terms);
        Charge {
            stamp: now_ns,
            evicted: None,
        }
    }

    fn refund(&mut self, _terms: &Terms, cost: u64, stamp: u64, _now_ns: u64) {
        let place = self
            .entries
            .binary_search_by_key(&stamp, |entry| entry.at_ns);
        let Ok(place) = place else { return };
        let entry = &mut self.entries[place];
        let back = cost.min(entry.cost);
        entry.cost -= back;
        self.size -= back;
        if entry.cost == 0 {
            self.entries.remove(place);
        }
    }

    fn fresh_at_ns(&self, terms: &Terms, now_ns: u64) -> Option<u64> {
        let ends_at_ns = self.entries.back()?.ends_at_ns(terms);
        (ends_at_ns > now_ns).then_some(ends_at_ns)
    }

    /// The log stays as it is: how much of it counts is decided by whoever reads it.
    fn convert(&mut self, from: &Terms, _to: &Terms, now_ns: u64) {
        self.settle(from, now_ns);
    }

    fn capacity(terms: &Terms) -> u64 {
        terms.share.whole()
    }

    fn remaining(&self, terms: &Terms, now_ns: u64) -> u64 {
        terms.share.whole().saturating_sub(self.size(terms, now_ns))
    }

    fn full_after_ns(&self, terms: &Terms, now_ns: u64) -> Option<u64> {
        let fresh_at_ns = self.fresh_at_ns(terms, now_ns);
        Some(fresh_at_ns.map_or(0, |at_ns| at_ns - now_ns))
    }
}
