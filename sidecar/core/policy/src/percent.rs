//! A percentage, exact to a ten-thousandth of a percent.

/// Parts per million of one whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u32);

/// What one whole is in a [`Percent`].
pub(crate) const WHOLE: u32 = 1_000_000;

impl Percent {
    /// So many whole percent.
    #[must_use]
    pub const fn new(percent: u32) -> Self {
        Self(percent.saturating_mul(WHOLE / 100))
    }

    /// So many parts per million.
    #[must_use]
    pub const fn from_millionths(millionths: u32) -> Self {
        Self(millionths)
    }

    /// The parts per million.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// Whether `part` of `whole` is at least this percentage; false when `whole` is zero.
    #[must_use]
    pub const fn is_reached_by(self, part: u32, whole: u32) -> bool {
        whole > 0 && part as u64 * WHOLE as u64 >= self.0 as u64 * whole as u64
    }

    /// The share that `part` is of `whole`, rounded down, at most all of it; none when `whole` is zero.
    #[must_use]
    pub const fn of_part(part: u32, whole: u32) -> Option<Self> {
        if whole == 0 {
            return None;
        }
        let part = if part > whole { whole } else { part };
        Some(Self((part as u64 * WHOLE as u64 / whole as u64) as u32))
    }

    /// This percentage of `amount`, rounded down.
    #[must_use]
    pub const fn of(self, amount: u64) -> u64 {
        let share = amount as u128 * self.0 as u128 / WHOLE as u128;
        if share > u64::MAX as u128 {
            u64::MAX
        } else {
            share as u64
        }
    }

    /// The rank, from 1, of the last of `count` sorted values within this share; none when there are none.
    #[must_use]
    pub(crate) const fn rank(self, count: u64) -> Option<u64> {
        if count == 0 {
            return None;
        }
        let rank = (count as u128 * self.0 as u128).div_ceil(WHOLE as u128) as u64;
        Some(if rank == 0 { 1 } else { rank })
    }
}
