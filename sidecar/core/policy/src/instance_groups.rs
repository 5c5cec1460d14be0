//! Instance groups: the endpoints that a kind of requests has for itself, and when it may use those of others.
//!
//! Groups stand in an order. A request is assigned to one of them and may spill into later ones, never into
//! earlier ones: what is important goes first, and nothing that is less so gets in its way.
//!
//! | overflow | a group spills into the next |
//! |---|---|
//! | `Never` | never |
//! | `WhenEmpty` | while none of the endpoints so far is ready |
//! | `WhenBelow` | while too small a share of the endpoints so far is ready |

use std::ops::RangeInclusive;

use crate::Percent;

/// When a group spills into later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Never.
    Never,
    /// When none of its endpoints is ready.
    WhenEmpty,
    /// When a smaller share of its endpoints is ready.
    WhenBelow(Percent),
}

/// How large a group is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Endpoints that may be picked.
    pub ready: u32,
    /// All of them.
    pub total: u32,
}

impl Overflow {
    /// The groups, by their places, among whose endpoints a request of `group` is balanced.
    #[must_use]
    pub fn reach(self, sizes: &[Size], group: usize) -> RangeInclusive<usize> {
        let mut reached = Size::default();
        let later = sizes.iter().enumerate().skip(group);
        let last = later.into_iter().find(|(_, size)| {
            reached.ready = reached.ready.saturating_add(size.ready);
            reached.total = reached.total.saturating_add(size.total);
            self.is_enough(reached)
        });
        let last = last.map_or(sizes.len().saturating_sub(1), |(place, _)| place);
        group..=last.max(group)
    }

    const fn is_enough(self, reached: Size) -> bool {
        match self {
            Self::Never => true,
            Self::WhenEmpty => reached.ready > 0,
            Self::WhenBelow(share) => share.is_reached_by(reached.ready, reached.total),
        }
    }
}

/// What happened to a group, for people to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// None of its endpoints is ready any more, or ever was.
    Emptied,
    /// Some are ready again.
    Refilled,
}

/// Notices when a group empties.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    is_empty: bool,
}

impl Watch {
    /// Looks at the size of the group.
    pub const fn observe(&mut self, size: Size) -> Option<Change> {
        let was_empty = self.is_empty;
        self.is_empty = size.ready == 0;
        match (was_empty, self.is_empty) {
            (false, true) => Some(Change::Emptied),
            (true, false) => Some(Change::Refilled),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
