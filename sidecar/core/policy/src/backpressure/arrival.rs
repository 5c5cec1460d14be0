//! Who arrives, and what becomes of it: at once, and later.

use crate::Reason;
use crate::criticality::Criticality;
use crate::lists::Ticket;
use crate::waiters::Flow;

/// A request that arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// How much it matters.
    pub class: Criticality,
    /// With whom it takes turns: a keyed hash of its tenant, or 0 where nobody is told apart.
    pub flow: Flow,
    /// What it takes while it waits.
    pub bytes: u64,
    /// By when it has to be done.
    pub deadline_ns: Option<u64>,
    /// Whether a request of the same trace runs already: it must not be held for that one.
    pub holds_permit: bool,
}

/// What becomes of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a permit has to come back, a ticket to be awaited or abandoned"]
pub enum Entry {
    /// It runs, and holds a permit.
    Runs,
    /// It waits.
    Waits(Ticket),
    /// It is held in front of the queue: read on only to see its end, and call [`Backpressure::expire`](super::Backpressure::expire) after so long.
    Held {
        /// Its ticket, also once it waits.
        ticket: Ticket,
        /// How long.
        for_ns: u64,
    },
    /// It is refused.
    Refused(Reason),
}

/// What became of somebody who waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "somebody waits to be told"]
pub enum Event {
    /// It runs, and holds a permit.
    Runs(Ticket),
    /// It is refused.
    Refused(Ticket, Reason),
}
