//! The bulkhead: so many at once, so many waiting in a fair line, the rest refused.
//!
//! **Theory of operation.** A semaphore without a runtime: who has to wait gets a [`Ticket`], and every call that
//! frees a permit says whose turn it is. The permit then belongs to that ticket's holder already, so nobody can
//! slip in between, and a holder who left meanwhile passes it on. Bounds requests, and the connections of a pool.
//!
//! *Lanes* give a class a share of the permits. Permits that a class does not use are lent to all others, and
//! nothing is taken back from who runs; but a freed permit goes to a waiting class below its share first.
//!
//! | a permit is free, and | it goes to |
//! |---|---|
//! | classes below their share wait | the most important of them |
//! | others wait | who would be next in its class and came first |
//! | nobody waits | the next arrival |
//!
//! Within a class flows take turns, each first in, first out: routes at a pool, one flow where nothing is told
//! apart.

use crate::criticality::{CLASSES, Criticality};
pub use crate::lists::Ticket;
pub use crate::waiters::Flow;
use crate::waiters::Waiters;
use crate::{Percent, percent};

/// The longest default wait.
const LONGEST_WAIT_NS: u64 = 1_000_000_000;

/// The settings of a bulkhead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// How many at once.
    pub max_concurrent: u32,
    /// How many may wait; unset: as many as `max_concurrent`.
    pub max_queue: Option<u32>,
    /// How long one may wait; unset: a quarter of the time left, at most a second.
    pub queue_timeout_ns: Option<u64>,
    /// The share of the permits that belongs to each class, the most important first.
    pub lanes: [Percent; CLASSES],
}

/// No share for anybody.
pub const NO_LANES: [Percent; CLASSES] = [Percent::new(0); CLASSES];

impl Params {
    /// Nothing is said: everybody is let in.
    pub const NONE: Self = Self {
        max_concurrent: u32::MAX,
        max_queue: None,
        queue_timeout_ns: None,
        lanes: NO_LANES,
    };
}

/// Who asks for a permit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// How much it matters.
    pub class: Criticality,
    /// With whom it takes turns.
    pub flow: Flow,
}

/// What becomes of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an acquired permit has to be released, a ticket awaited or abandoned"]
pub enum Arrival {
    /// It holds a permit.
    Acquired,
    /// It waits, and holds a permit as soon as its ticket is named.
    Queued(Ticket),
    /// Neither a permit nor a place in the line was left.
    Full,
}

/// One bulkhead.
#[derive(Clone, Debug)]
pub struct Bulkhead {
    params: Params,
    /// Permits that are out, by class.
    running: [u32; CLASSES],
    in_flight: u32,
    waiters: Waiters<()>,
}

impl Bulkhead {
    /// An empty bulkhead.
    #[must_use]
    pub fn new(params: Params) -> Self {
        Self {
            params,
            running: [0; CLASSES],
            in_flight: 0,
            waiters: Waiters::default(),
        }
    }

    /// Lets an arrival in, has it wait, or turns it away.
    #[inline]
    pub fn acquire(&mut self, claim: Claim) -> Arrival {
        if self.is_open() {
            self.hand_out(claim.class);
            Arrival::Acquired
        } else if self.waiters.len() < self.queue_capacity() {
            Arrival::Queued(self.waiters.join(claim.class, claim.flow, ()))
        } else {
            Arrival::Full
        }
    }

    /// Whether the next arrival is let in.
    #[inline]
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.in_flight < self.params.max_concurrent && self.waiters.len() == 0
    }

    /// Takes a permit of a class back; names the ticket that holds one now instead.
    #[inline]
    #[must_use = "the named ticket holds a permit and waits to be told"]
    pub fn release(&mut self, class: Criticality) -> Option<Ticket> {
        let running = &mut self.running[class.index()];
        *running = running.saturating_sub(1);
        self.in_flight = self.in_flight.saturating_sub(1);
        self.admit_next()
    }

    /// Ends a wait of a class, timed out or disconnected: its place in the line is free at once.
    ///
    /// When the ticket holds a permit by now, that goes back and the ticket that gets it is named.
    #[must_use = "the named ticket holds a permit and waits to be told"]
    pub fn abandon(&mut self, ticket: Ticket, class: Criticality) -> Option<Ticket> {
        match self.waiters.leave(ticket) {
            Some(()) => None,
            None => self.release(class),
        }
    }

    /// Gives a free permit to whose turn it is. Call until none, after a wider [`Bulkhead::reconfigure`].
    #[must_use = "the named ticket holds a permit and waits to be told"]
    pub fn admit_next(&mut self) -> Option<Ticket> {
        if self.in_flight >= self.params.max_concurrent || self.waiters.len() == 0 {
            return None;
        }
        let class = self.next_class()?;
        let (ticket, ()) = self.waiters.call(class)?;
        self.hand_out(class);
        Some(ticket)
    }

    /// Of those who wait, the class whose turn it is.
    fn next_class(&self) -> Option<Criticality> {
        let waiting = || {
            let classes = Criticality::ALL.into_iter();
            classes.filter_map(|class| Some((class, self.waiters.next(class)?)))
        };
        let owed = waiting().find(|&(class, _)| self.is_below_share(class));
        let first = || waiting().min_by_key(|(_, ticket)| ticket.number());
        owed.or_else(first).map(|(class, _)| class)
    }

    /// Whether fewer of a class run than its lane is wide, exactly.
    fn is_below_share(&self, class: Criticality) -> bool {
        let share = u64::from(self.params.lanes[class.index()].millionths());
        let running = u64::from(self.running[class.index()]) * u64::from(percent::WHOLE);
        running < share * u64::from(self.params.max_concurrent)
    }

    const fn hand_out(&mut self, class: Criticality) {
        self.running[class.index()] += 1;
        self.in_flight += 1;
    }

    /// Takes new settings. Permits and waiters stay; a narrower bulkhead fills up again once it is below its bounds.
    pub const fn reconfigure(&mut self, params: Params) {
        self.params = params;
    }

    /// How long an arrival with so much time left may wait.
    #[must_use]
    pub fn queue_timeout_ns(&self, left_ns: Option<u64>) -> u64 {
        let default_ns =
            || left_ns.map_or(LONGEST_WAIT_NS, |left_ns| LONGEST_WAIT_NS.min(left_ns / 4));
        self.params.queue_timeout_ns.unwrap_or_else(default_ns)
    }

    /// How many may wait.
    #[must_use]
    pub fn queue_capacity(&self) -> u32 {
        self.params.max_queue.unwrap_or(self.params.max_concurrent)
    }

    /// Permits that are out.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Permits of a class that are out.
    #[must_use]
    pub const fn running(&self, class: Criticality) -> u32 {
        self.running[class.index()]
    }

    /// How many wait.
    #[must_use]
    pub const fn waiting(&self) -> u32 {
        self.waiters.len()
    }

    /// The settings in force.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }
}

#[cfg(test)]
mod tests;
