//! When decisions are taken, and by which chance: a microsecond for each, and the same draws in every run.

pub const SECOND_NS: u64 = 1_000_000_000;

/// A microsecond for each decision.
pub const fn instant(number: u64) -> u64 {
    SECOND_NS + number * 1_000
}

/// Uniform enough, and for nothing.
pub const fn draw(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
