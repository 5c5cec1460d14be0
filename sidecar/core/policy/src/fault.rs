//! What stands of rehearsals that concern the same request (GEP-713).
//!
//! The fields of a rehearsal are what it does, and all of it is one block: its share, its requests and its end are
//! those of whatever it does. Contributions are folded from the most specific to the broadest, as those of every other
//! policy are.

use std::ops::BitOr;

/// How a rehearsal combines with those of other levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// It does what no more specific one does.
    PatchDefaults,
    /// It acts where no more specific one does.
    AtomicDefaults,
    /// It does what more specific ones do in their place.
    PatchOverrides,
    /// It acts in the place of more specific ones.
    AtomicOverrides,
}

impl Merge {
    /// Every one, in the order of its names.
    pub const ALL: [Self; 4] = [
        Self::PatchDefaults,
        Self::AtomicDefaults,
        Self::PatchOverrides,
        Self::AtomicOverrides,
    ];

    /// As written in policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PatchDefaults => "PatchDefaults",
            Self::AtomicDefaults => "AtomicDefaults",
            Self::PatchOverrides => "PatchOverrides",
            Self::AtomicOverrides => "AtomicOverrides",
        }
    }

    /// Whether it wins over what is more specific.
    #[must_use]
    pub const fn overrides(self) -> bool {
        matches!(self, Self::PatchOverrides | Self::AtomicOverrides)
    }
}

/// Some of the things that a rehearsal may do to a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects(u8);

impl Effects {
    /// It waits.
    pub const DELAY: Self = Self(1);
    /// It is refused.
    pub const ABORT: Self = Self(2);
    /// Its answer is read slowly.
    pub const BANDWIDTH: Self = Self(4);

    /// These if the condition holds, or else none.
    #[must_use]
    pub const fn only_if(self, holds: bool) -> Self {
        if holds { self } else { Self(0) }
    }

    /// Whether these are among them.
    #[must_use]
    pub const fn contain(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

impl BitOr for Effects {
    type Output = Self;

    fn bitor(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

/// What one rehearsal would do to a request, and how it combines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// How it combines.
    pub merge: Merge,
    /// What it would do; nothing where it does not concern the request, which then changes nothing either.
    pub effects: Effects,
}

/// The place of a rehearsal in the fold: the most specific first; of equal ones defaults before overrides, of those the
/// older first, of these the newer. The greater `specificity` is the more specific, the smaller `age` the older.
#[must_use]
pub const fn turn(merge: Merge, specificity: u32, age: u32) -> (u32, bool, u32) {
    let overrides = merge.overrides();
    let age = if overrides { u32::MAX - age } else { age };
    (u32::MAX - specificity, overrides, age)
}

/// Leaves of contributions, in the order of their turns, what stands.
pub fn fold(contributions: &mut [Contribution]) {
    for index in 0..contributions.len() {
        let (before, [this, ..]) = contributions.split_at_mut(index) else {
            return;
        };
        let said = before.iter().map(|each| each.effects);
        let said = said.fold(Effects::default(), BitOr::bitor);
        match this.merge {
            _ if this.effects.is_empty() => {}
            Merge::PatchDefaults => this.effects = this.effects.without(said),
            Merge::AtomicDefaults => this.effects = this.effects.only_if(said.is_empty()),
            Merge::PatchOverrides => take(before, this.effects),
            Merge::AtomicOverrides => take(before, said),
        }
    }
}

fn take(contributions: &mut [Contribution], effects: Effects) {
    for each in contributions {
        each.effects = each.effects.without(effects);
    }
}

#[cfg(test)]
mod tests;
