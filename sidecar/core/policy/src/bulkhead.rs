//! The bulkhead: so many at once, so many waiting in a fair line, the rest refused.
//!
//! A semaphore without a runtime: who has to wait gets a [`Ticket`], and every call that frees a permit says
//! whose turn it is. The permit then belongs to that ticket's holder already, so nobody can slip in between,
//! and a holder who left meanwhile passes it on. Bounds requests, and the connections of a pool.

mod line;

use line::Line;
pub use line::Ticket;

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
    in_flight: u32,
    line: Line,
}

impl Bulkhead {
    /// An empty bulkhead.
    #[must_use]
    pub const fn new(params: Params) -> Self {
        Self {
            params,
            in_flight: 0,
            line: Line::new(),
        }
    }

    /// Lets an arrival in, has it wait, or turns it away.
    #[inline]
    pub fn acquire(&mut self) -> Arrival {
        if self.in_flight < self.params.max_concurrent && self.line.len() == 0 {
            self.in_flight += 1;
            Arrival::Acquired
        } else if self.line.len() < self.queue_capacity() {
            Arrival::Queued(self.line.join())
        } else {
            Arrival::Full
        }
    }

    /// Takes a permit back; names the ticket that holds one now instead.
    #[inline]
    #[must_use = "the named ticket holds a permit and waits to be told"]
    pub fn release(&mut self) -> Option<Ticket> {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.admit_next()
    }

    /// Ends a wait, timed out or disconnected: its place in the line is free at once.
    ///
    /// When the ticket holds a permit by now, that goes back and the ticket that gets it is named.
    #[must_use = "the named ticket holds a permit and waits to be told"]
    pub fn abandon(&mut self, ticket: Ticket) -> Option<Ticket> {
        if self.line.leave(ticket) {
            None
        } else {
            self.release()
        }
    }

    /// Gives a free permit to the one who waited longest. Call until none, after a wider [`Bulkhead::reconfigure`].
    #[must_use = "the named ticket holds a permit and waits to be told"]
    pub fn admit_next(&mut self) -> Option<Ticket> {
        if self.in_flight >= self.params.max_concurrent {
            return None;
        }
        let ticket = self.line.call()?;
        self.in_flight += 1;
        Some(ticket)
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

    /// How many wait.
    #[must_use]
    pub const fn waiting(&self) -> u32 {
        self.line.len()
    }

    /// The settings in force.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }
}

#[cfg(test)]
mod tests;
