//! Random draws, good enough to spread sidecars out.

use std::hash::{BuildHasher, RandomState};

/// Uniform from 0 to 1.
pub(crate) fn draw() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 11; // as many as a float holds
    bits as f64 / (1_u64 << 53) as f64
}
