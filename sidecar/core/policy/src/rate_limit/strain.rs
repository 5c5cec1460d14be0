//! Strain: a resource that is used too much, noticed at one threshold and over at a lower one.
//!
//! | used | was not strained | was strained |
//! |---|---|---|
//! | at least `enter` | strained | strained |
//! | between | not | strained |
//! | less than `exit` | not | not |

use crate::Percent;

/// What may be used too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Processor time, of what may be used.
    Cpu,
    /// Memory, of what may be used.
    Memory,
    /// Time in which some task had to wait for processor time, memory or I/O.
    Pressure,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::Pressure];

    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Pressure => "pressure",
        }
    }
}

/// The two thresholds; `exit` counts as `enter` where it is higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// So much used is too much.
    pub enter: Percent,
    /// Less than so much is well again.
    pub exit: Percent,
}

/// One resource: memory, processor time or pressure.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strain {
    is_strained: bool,
}

impl Strain {
    /// Looks at how much is used now; true while that is too much.
    pub fn observe(&mut self, thresholds: Thresholds, used: Percent) -> bool {
        let exit = thresholds.exit.min(thresholds.enter);
        self.is_strained = used >= thresholds.enter || (self.is_strained && used >= exit);
        self.is_strained
    }

    /// What the last look found.
    #[must_use]
    pub const fn is_strained(&self) -> bool {
        self.is_strained
    }
}

#[cfg(test)]
mod tests;
