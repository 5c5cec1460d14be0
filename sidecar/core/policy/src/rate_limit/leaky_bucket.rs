//! Leaky bucket: requests leave at a fixed rate, the first at once, so many wait in line, the rest is refused.
//!
//! **Theory of operation.** What is kept is the instant at which the next arrival could leave: after one that
//! costs `c` that is `c` times the interval of the rate later. An arrival before it waits for it in line, with
//! an instant of its own. Nobody calls those who wait; a place is empty once its instant is past. Without
//! places the bucket is a meter: it admits one who need not wait.
//!
//! | event | the next arrival leaves | those in line |
//! |---|---|---|
//! | admitted, nobody before it | `c` intervals from now | - |
//! | admitted to wait | `c` intervals later | one more, at the old instant |
//! | evicted, or left | as much earlier as that one cost, at most until now | those behind it, too |
//! | exempt, or refused and counted | `c` intervals later, at most as if the line were full | - |
//! | charged after its answer | `c` intervals later | - |

use std::collections::{VecDeque, vec_deque};
use std::iter::Take;

use super::cell::{self, Cell, Charge, Demand, Shortage};
use super::rate::{Flow, Rate};

/// Who makes room in a full line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evict {
    /// The arrival.
    Newest,
    /// The one that waited longest.
    Oldest,
}

/// The settings of a leaky bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leak {
    /// How fast requests leave.
    pub rate: Rate,
    /// How many may wait; 0: a meter.
    pub queue: u32,
    /// How long one may wait, at most.
    pub max_wait_ns: u64,
    /// Who makes room in a full line.
    pub evict: Evict,
}

/// The figures of a leaky bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    flow: Flow,
    queue: u32,
    max_wait_ns: u64,
    evict: Evict,
}

impl Terms {
    pub(super) const fn new(leak: &Leak) -> Self {
        Self {
            flow: leak.rate.flow(),
            queue: leak.queue,
            max_wait_ns: leak.max_wait_ns,
            evict: leak.evict,
        }
    }
}

impl cell::Terms for Terms {}

/// One leaky bucket.
#[derive(Clone, Debug, Default)]
pub(super) struct LeakyBucket {
    /// The instant at which the next arrival could leave, in units.
    free_at: u128,
    /// Those who wait, the next to leave first; takes memory only while somebody does.
    line: VecDeque<Waiter>,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    serial: u64,
    cost: u128,
    leaves_at: u128,
}

impl LeakyBucket {
    /// Those in line at `now_ns`, the next to leave first.
    fn waiting(&self, terms: &Terms, now_ns: u64) -> vec_deque::Iter<'_, Waiter> {
        let now = terms.flow.at(now_ns);
        let left = self.line.partition_point(|waiter| waiter.leaves_at <= now);
        self.line.range(left..)
    }

    /// Those who have to go before an arrival finds a place.
    fn in_the_way(&self, terms: &Terms, now_ns: u64) -> Take<vec_deque::Iter<'_, Waiter>> {
        let waiting = self.waiting(terms, now_ns);
        let surplus = (waiting.len() + 1).saturating_sub(terms.queue as usize);
        waiting.take(surplus)
    }

    /// How long it takes to `units`.
    const fn until(terms: &Terms, units: u128, now_ns: u64) -> u64 {
        terms.flow.time_for(units).saturating_sub(now_ns)
    }

    /// How long an arrival waits if there is a place for it.
    const fn wait_ns(&self, terms: &Terms, now_ns: u64) -> u64 {
        Self::until(terms, self.free_at, now_ns)
    }

    /// Admits an arrival that has to wait, if it has the patience, and a place or somebody to evict.
    fn check_line(&self, terms: &Terms, patience_ns: u64, now_ns: u64) -> Result<u64, Shortage> {
        let mut gone_ns = 0;
        for waiter in self.in_the_way(terms, now_ns) {
            let leaves_ns = Self::until(terms, waiter.leaves_at, now_ns);
            let wait_ns = Self::until(terms, self.free_at - waiter.cost, now_ns);
            let after_ns = wait_ns.saturating_sub(patience_ns).max(gone_ns);
            if terms.evict == Evict::Oldest && after_ns < leaves_ns {
                return turn(wait_ns, after_ns);
            }
            gone_ns = leaves_ns;
        }
        let wait_ns = self.wait_ns(terms, now_ns);
        turn(wait_ns, wait_ns.saturating_sub(patience_ns).max(gone_ns))
    }

    /// Takes the waiter at this place out of the line.
    fn take_out(&mut self, place: usize, now: u128) -> Option<Waiter> {
        let waiter = self.line.remove(place)?;
        self.move_up(place, waiter.cost, now);
        Some(waiter)
    }

    /// Everybody from this place on leaves earlier, but nobody before now.
    fn move_up(&mut self, place: usize, earlier: u128, now: u128) {
        let first = self.line.get(place);
        let first_at = first.map_or(self.free_at, |first| first.leaves_at);
        let earlier = earlier.min(first_at.saturating_sub(now));
        self.free_at -= earlier;
        for waiter in self.line.range_mut(place..) {
            waiter.leaves_at -= earlier;
        }
    }
}

/// The wait of one who is admitted, which it is after so long.
const fn turn(wait_ns: u64, after_ns: u64) -> Result<u64, Shortage> {
    match after_ns {
        0 => Ok(wait_ns),
        after_ns => Err(Shortage::For(after_ns)),
    }
}

impl Cell for LeakyBucket {
    type Terms = Terms;

    fn settle(&mut self, terms: &Terms, now_ns: u64) {
        if self.line.is_empty() {
            return;
        }
        let now = terms.flow.at(now_ns);
        let left = self.line.partition_point(|waiter| waiter.leaves_at <= now);
        self.line.drain(..left);
        if self.line.is_empty() {
            self.line = VecDeque::new();
        }
    }

    #[inline]
    fn check(&self, terms: &Terms, demand: Demand, now_ns: u64) -> Result<u64, Shortage> {
        match self.wait_ns(terms, now_ns) {
            0 => Ok(0),
            wait_ns if terms.queue == 0 => Err(Shortage::For(wait_ns)),
            _ => {
                let left_ns = demand.left_ns.unwrap_or(u64::MAX);
                self.check_line(terms, terms.max_wait_ns.min(left_ns), now_ns)
            }
        }
    }

    #[inline]
    fn charge(&mut self, terms: &Terms, cost: u64, serial: u64, now_ns: u64) -> Charge {
        let (now, cost) = (terms.flow.at(now_ns), terms.flow.worth(cost));
        if self.free_at <= now {
            self.free_at = now.saturating_add(cost);
            return Charge::default();
        }
        let is_full = self.in_the_way(terms, now_ns).len() > 0;
        let evicted = is_full.then(|| self.take_out(0, now)).flatten();
        self.line.push_back(Waiter {
            serial,
            cost,
            leaves_at: self.free_at,
        });
        self.free_at = self.free_at.saturating_add(cost);
        Charge {
            stamp: serial,
            evicted: evicted.map(|waiter| waiter.serial),
        }
    }

    fn charge_unchecked(&mut self, terms: &Terms, cost: u64, now_ns: u64) {
        let before = self.free_at;
        self.charge_after(terms, cost, now_ns);
        let line = terms
            .flow
            .worth(cost.saturating_add(u64::from(terms.queue)));
        let bound = terms.flow.at(now_ns).saturating_add(line);
        self.free_at = self.free_at.min(bound).max(before);
    }

    fn charge_after(&mut self, terms: &Terms, cost: u64, now_ns: u64) {
        let from = self.free_at.max(terms.flow.at(now_ns));
        self.free_at = from.saturating_add(terms.flow.worth(cost));
    }

    fn refund(&mut self, terms: &Terms, cost: u64, stamp: u64, now_ns: u64) {
        let (now, cost) = (terms.flow.at(now_ns), terms.flow.worth(cost));
        match self
            .line
            .binary_search_by_key(&stamp, |waiter| waiter.serial)
        {
            Ok(place) => drop(self.take_out(place, now)),
            Err(_) => self.move_up(0, cost, now),
        }
    }

    fn leaves_at_ns(&self, terms: &Terms, stamp: u64, now_ns: u64) -> Option<u64> {
        let mut waiting = self.waiting(terms, now_ns);
        let waiter = waiting.find(|waiter| waiter.serial == stamp)?;
        Some(terms.flow.time_for(waiter.leaves_at))
    }

    fn fresh_at_ns(&self, terms: &Terms, now_ns: u64) -> Option<u64> {
        Some(terms.flow.time_for(self.free_at)).filter(|&at_ns| at_ns > now_ns)
    }

    /// Those in line stay there; all that was used is worth as many requests as before.
    fn convert(&mut self, from: &Terms, to: &Terms, now_ns: u64) {
        if from.flow == to.flow {
            return;
        }
        let (old_now, now) = (from.flow.at(now_ns), to.flow.at(now_ns));
        let converted = |units: u128| {
            let ahead = from.flow.converted(units.saturating_sub(old_now), &to.flow);
            now.saturating_add(ahead)
        };
        self.free_at = converted(self.free_at);
        for waiter in &mut self.line {
            waiter.leaves_at = converted(waiter.leaves_at);
            waiter.cost = from.flow.converted(waiter.cost, &to.flow);
        }
    }

    /// Places, and one that need not wait.
    fn capacity(terms: &Terms) -> u64 {
        u64::from(terms.queue) + 1
    }

    fn remaining(&self, terms: &Terms, now_ns: u64) -> u64 {
        let taken = self.waiting(terms, now_ns).len() as u64;
        let at_once = u64::from(self.wait_ns(terms, now_ns) == 0);
        u64::from(terms.queue).saturating_sub(taken) + at_once
    }

    fn more_after_ns(&self, terms: &Terms, now_ns: u64) -> Option<u64> {
        let next = self.waiting(terms, now_ns).next();
        let next_at = next.map_or(self.free_at, |next| next.leaves_at);
        Some(Self::until(terms, next_at, now_ns))
    }

    fn full_after_ns(&self, terms: &Terms, now_ns: u64) -> Option<u64> {
        Some(self.wait_ns(terms, now_ns))
    }
}
