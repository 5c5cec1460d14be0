//! Chance for the worker's decisions: uniform bits, fast, worker-local, not for secrets.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use policy::Percent;

/// A SplitMix64 generator.
#[derive(Debug)]
pub(crate) struct Chance(Cell<u64>);

impl Chance {
    /// Seeded by the system.
    pub(crate) fn from_system() -> Self {
        Self::from_seed(RandomState::new().build_hasher().finish())
    }

    pub(crate) const fn from_seed(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// 64 uniform bits.
    pub(crate) fn draw(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// 128 uniform bits.
    pub(crate) fn draw_wide(&self) -> u128 {
        u128::from(self.draw()) << 64 | u128::from(self.draw())
    }

    /// True with this probability.
    pub(crate) fn hits(&self, share: Percent) -> bool {
        u128::from(self.draw()) * 1_000_000 < u128::from(share.millionths()) << 64
    }
}
