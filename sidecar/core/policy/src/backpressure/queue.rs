//! The bounded queue: who waits in it, who is held in front of it, and what fits.
//!
//! A buffering queue doubles when it is full, and halves, down to where it began, after every minute in which it
//! was never a quarter full.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Arrival;
use super::params::{Discipline, Mode, Queue as Params};
use crate::criticality::Criticality;
use crate::lists::Ticket;
use crate::waiters::Waiters;

const NONE: Params = Params {
    capacity: 0,
    mode: Mode::DropNewest,
    discipline: Discipline::Fifo,
};

/// After so long below a quarter a buffer shrinks.
const SHRINK_AFTER_NS: u64 = 60_000_000_000;
/// Stale deadlines that are never worth clearing away.
const FEW: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) params: Params,
    pub(super) waiters: Waiters<Entry>,
    /// Of those who wait or are held, and of some who left.
    deadlines: BinaryHeap<Reverse<(u64, Ticket)>>,
    bytes: u64,
    capacity: u32,
    /// Since when it was never a quarter full.
    low_since_ns: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) since_ns: u64,
    bytes: u64,
}

impl Queue {
    /// Without settings, a queue without places.
    pub(super) fn new(params: Option<Params>) -> Self {
        let params = params.unwrap_or(NONE);
        Self {
            capacity: params.capacity,
            params,
            waiters: Waiters::default(),
            deadlines: BinaryHeap::new(),
            bytes: 0,
            low_since_ns: None,
        }
    }

    /// Takes other settings. Who waits stays; a buffer that grew keeps its size within the new bounds.
    pub(super) fn reconfigure(&mut self, params: Option<Params>) {
        self.params = params.unwrap_or(NONE);
        let most = self.most();
        self.capacity = self.capacity.clamp(self.params.capacity.min(most), most);
    }

    /// How many may ever wait.
    pub(super) fn most(&self) -> u32 {
        match self.params.mode {
            Mode::Buffer { max_capacity, .. } => max_capacity.max(self.params.capacity),
            _ => self.params.capacity,
        }
    }

    /// How many wait, those who are held left out.
    pub(super) const fn depth(&self) -> u32 {
        self.waiters.len()
    }

    pub(super) const fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Whether so many bytes more fit, once `leaving` made room.
    pub(super) fn fits(&self, bytes: u64, leaving: Option<Ticket>) -> bool {
        let left = leaving.and_then(|ticket| self.waiters.get(ticket));
        let room = u32::from(left.is_some()) + self.capacity.saturating_sub(self.depth());
        room > 0 && self.has_bytes(bytes, left.map_or(0, |entry| entry.bytes))
    }

    /// Whether so many bytes more may wait, once `leaving` of them are gone.
    const fn has_bytes(&self, bytes: u64, leaving: u64) -> bool {
        match self.params.mode {
            Mode::Buffer { max_bytes, .. } => {
                (self.bytes - leaving).saturating_add(bytes) <= max_bytes
            }
            _ => true,
        }
    }

    /// Doubles a buffering queue whose places are taken, for one of so many bytes; false when it is as large as it gets.
    pub(super) fn grow(&mut self, bytes: u64) -> bool {
        let capacity = self.capacity.saturating_mul(2).clamp(1, self.most().max(1));
        let may_grow = capacity > self.capacity && self.most() > 0;
        let has_grown = may_grow && self.depth() >= self.capacity && self.has_bytes(bytes, 0);
        if has_grown {
            self.capacity = capacity;
        }
        has_grown
    }

    /// Halves a buffering queue for every minute in which it was nearly empty. Call before and after anything changes,
    /// and before its size is looked at.
    pub(super) fn look(&mut self, now_ns: u64) {
        while self.is_low() {
            let since_ns = *self.low_since_ns.get_or_insert(now_ns);
            let until_ns = since_ns.saturating_add(SHRINK_AFTER_NS);
            if now_ns < until_ns {
                return;
            }
            self.capacity = self.params.capacity.max(self.capacity / 2);
            self.low_since_ns = Some(until_ns);
        }
        self.low_since_ns = None;
    }

    /// Whether it is larger than it has to be, and nearly empty.
    fn is_low(&self) -> bool {
        let is_below_a_quarter = u64::from(self.depth()) * 4 < u64::from(self.capacity);
        is_below_a_quarter && self.capacity > self.params.capacity
    }

    pub(super) fn join(&mut self, arrival: &Arrival, now_ns: u64) -> Ticket {
        let entry = Entry::new(arrival, now_ns);
        let ticket = self.waiters.join(arrival.class, arrival.flow, entry);
        self.bytes = self.bytes.saturating_add(arrival.bytes);
        self.watch(arrival.deadline_ns, ticket);
        ticket
    }

    pub(super) fn hold(&mut self, arrival: &Arrival, now_ns: u64) -> Ticket {
        let entry = Entry::new(arrival, now_ns);
        let ticket = self.waiters.hold(arrival.class, arrival.flow, entry);
        self.watch(arrival.deadline_ns, ticket);
        ticket
    }

    /// Lets in who is held while there is room; where there is no queue any more, nobody is held in front of it.
    pub(super) fn let_in(&mut self) {
        while self.waiters.held() > 0 && (self.depth() < self.capacity || self.capacity == 0) {
            let bytes = self.waiters.let_in().map_or(0, |entry| entry.bytes);
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }

    /// Takes somebody out; none when that one was called already.
    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<Entry> {
        let was_held = self.waiters.is_held(ticket);
        let entry = self.waiters.leave(ticket)?;
        self.bytes -= if was_held { 0 } else { entry.bytes };
        Some(entry)
    }

    /// Calls who is next in a class: of the flow whose turn it is the oldest, or the newest.
    pub(super) fn call(&mut self, class: Criticality, is_newest_first: bool) -> Option<Ticket> {
        let called = if is_newest_first {
            self.waiters.call_newest(class)
        } else {
            self.waiters.call(class)
        };
        let (ticket, entry) = called?;
        self.bytes -= entry.bytes;
        Some(ticket)
    }

    fn watch(&mut self, deadline_ns: Option<u64>, ticket: Ticket) {
        let Some(deadline_ns) = deadline_ns else {
            return;
        };
        let here = (self.waiters.len() + self.waiters.held()) as usize;
        if self.deadlines.len() > 2 * here + FEW {
            let waiters = &self.waiters;
            self.deadlines
                .retain(|Reverse((_, ticket))| waiters.get(*ticket).is_some());
        }
        self.deadlines.push(Reverse((deadline_ns, ticket)));
    }

    /// Whether anybody has a deadline.
    pub(super) fn has_deadlines(&self) -> bool {
        !self.deadlines.is_empty()
    }

    #[cfg(test)]
    pub(super) fn deadlines_kept(&self) -> usize {
        self.deadlines.len()
    }

    /// Somebody whose deadline is before `before_ns`.
    pub(super) fn hopeless(&mut self, before_ns: u64) -> Option<Ticket> {
        while let Some(&Reverse((deadline_ns, ticket))) = self.deadlines.peek() {
            if self.waiters.get(ticket).is_some() {
                return (deadline_ns < before_ns).then_some(ticket);
            }
            self.deadlines.pop();
        }
        None
    }
}

impl Entry {
    const fn new(arrival: &Arrival, now_ns: u64) -> Self {
        Self {
            since_ns: now_ns,
            bytes: arrival.bytes,
        }
    }
}
