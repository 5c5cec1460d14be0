//! What a request asks of one limit, and what became of that.

use super::cell::Demand;
use super::keys::{Key, Slot};
use crate::moment::Moment;

/// A request as it arrives at the limits.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When.
    pub at: Moment,
    /// The time until its deadline; it waits in no line for longer.
    pub left_ns: Option<u64>,
    /// Charged, and never refused or held up.
    pub is_exempt: bool,
}

/// What a request asks of one limit. Kept with the request: it also says what there is to give back.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub(super) limiter: usize,
    pub(super) key: Option<Key>,
    pub(super) cost: u64,
    /// What has to be there.
    wanted: u64,
    pub(super) place: Place,
    /// The stamp of the charge that is out.
    pub(super) charged: Option<u64>,
    /// Which counts of the limiter it went to.
    pub(super) generation: u32,
}

/// Where the cell that answers for an ask is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Unknown,
    Shared,
    Keyed(Slot),
    /// The key was never seen, and there is room for it.
    Vacant,
    /// There is none, and the request is refused or admitted without one.
    Nowhere {
        admits: bool,
    },
}

impl Ask {
    /// `cost` of the limiter at this position, for `key`; none: of what all share.
    #[must_use]
    pub const fn new(limiter: usize, key: Option<Key>, cost: u64) -> Self {
        Self {
            limiter,
            key,
            cost,
            wanted: cost,
            place: Place::Unknown,
            charged: None,
            generation: 0,
        }
    }

    /// A cost that only the answer will tell: now there has to be room for 1, and nothing is charged.
    #[must_use]
    pub const fn later(limiter: usize, key: Option<Key>) -> Self {
        Self {
            wanted: 1,
            ..Self::new(limiter, key, 0)
        }
    }

    /// What is charged at arrival.
    #[must_use]
    pub const fn cost(&self) -> u64 {
        self.cost
    }

    /// The position of the limiter.
    #[must_use]
    pub const fn limiter(&self) -> usize {
        self.limiter
    }

    /// The key whose cell answered; none: what all share.
    pub(super) const fn cell_key(&self) -> Option<Key> {
        match self.place {
            Place::Shared => None,
            _ => self.key,
        }
    }

    pub(super) const fn demand(&self, left_ns: Option<u64>) -> Demand {
        Demand {
            cost: self.wanted,
            left_ns,
        }
    }
}
