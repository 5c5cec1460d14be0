//! The settings of what stands in front of an application.

use super::codel;
use super::gradient;
use crate::Percent;

/// All of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    /// How many run at once.
    pub concurrency: Concurrency,
    /// What waits; unset: nothing does.
    pub queue: Option<Queue>,
    /// When less important requests are shed before the queue is full.
    pub early_detection: Option<EarlyDetection>,
}

impl Params {
    /// Nothing is said: everybody runs at once.
    pub const NONE: Self = Self {
        concurrency: Concurrency::Unlimited,
        queue: None,
        early_detection: None,
    };
}

/// How many run at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Concurrency {
    /// Any number: nothing ever waits.
    Unlimited,
    /// At most so many.
    Fixed(u32),
    /// As many as latency allows.
    Adaptive(gradient::Params),
}

/// A bounded queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How many wait.
    pub capacity: u32,
    /// What happens when so many do.
    pub mode: Mode,
    /// Who is next, and who is dropped before.
    pub discipline: Discipline,
}

/// What happens to an arrival that finds the queue full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is held in front of the queue for a while; as many are as the queue holds.
    Block {
        /// How long.
        for_ns: u64,
    },
    /// It is refused.
    DropNewest,
    /// The one that waits longest makes room, unless it matters more.
    DropOldest,
    /// The queue doubles, up to these bounds; then it is refused.
    Buffer {
        /// How many wait at most.
        max_capacity: u32,
        /// How large they are together at most.
        max_bytes: u64,
    },
    /// Before it is full the queue admits only as fast as it drains.
    Throttle {
        /// From which share of its capacity on.
        from: Percent,
    },
}

/// Who is next in a class, and who is dropped before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// Who waits longest; nobody is dropped.
    Fifo,
    /// Who waits longest, but for those CoDel drops.
    Codel(codel::Params),
    /// The same, but while CoDel drops, who came last.
    CodelLifo(codel::Params),
}

impl Discipline {
    pub(super) const fn codel(&self) -> Option<&codel::Params> {
        match self {
            Self::Fifo => None,
            Self::Codel(codel) | Self::CodelLifo(codel) => Some(codel),
        }
    }
}

/// When a class is shed before the queue is full: when it would be within so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlyDetection {
    /// Background requests.
    pub shed_background_below_ns: u64,
    /// Sheddable requests.
    pub shed_sheddable_below_ns: u64,
}
