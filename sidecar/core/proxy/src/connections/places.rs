//! How many connections there may be: a bound on both directions together, of which each keeps a share for itself.

use crate::report::Direction;

/// What part of all places each direction keeps, whatever the other takes.
const KEPT: usize = 8;

/// Places, and how many are taken in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    most: usize,
    inbound: usize,
    outbound: usize,
}

impl Places {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            most,
            inbound: 0,
            outbound: 0,
        }
    }

    /// With one more taken, if the direction may have it.
    pub(super) fn enter(self, direction: Direction) -> Option<Self> {
        let taken = self.taken(direction);
        (taken < self.room(direction)).then(|| self.with(direction, taken + 1))
    }

    /// With one less taken.
    pub(super) const fn leave(self, direction: Direction) -> Self {
        self.with(direction, self.taken(direction).saturating_sub(1))
    }

    /// How many are taken in the direction that has the fewest left, and how many it can have.
    pub(super) const fn fullest(self) -> (usize, usize) {
        let inbound = (self.inbound, self.room(Direction::Inbound));
        let outbound = (self.outbound, self.room(Direction::Outbound));
        if inbound.1 - inbound.0 <= outbound.1 - outbound.0 {
            inbound
        } else {
            outbound
        }
    }

    /// How many a direction can have: all but those that the other one has, or keeps.
    const fn room(self, direction: Direction) -> usize {
        let kept = self.most / KEPT;
        let other = match direction {
            Direction::Inbound => self.outbound,
            Direction::Outbound => self.inbound,
        };
        self.most - if other > kept { other } else { kept }
    }

    const fn taken(self, direction: Direction) -> usize {
        match direction {
            Direction::Inbound => self.inbound,
            Direction::Outbound => self.outbound,
        }
    }

    const fn with(mut self, direction: Direction, taken: usize) -> Self {
        match direction {
            Direction::Inbound => self.inbound = taken,
            Direction::Outbound => self.outbound = taken,
        }
        self
    }
}

#[cfg(test)]
mod tests;
