//! Uniform integers out of 64 uniform bits, by multiplication: no loop, a bias below 2^-64 of the range.

/// Uniform in `0..=max`.
pub(crate) const fn up_to(draw: u64, max: u64) -> u64 {
    ((draw as u128 * (max as u128 + 1)) >> 64) as u64
}

/// Uniform in `low..=high`; `low` when the range is empty.
pub(crate) const fn between(draw: u64, low: u64, high: u64) -> u64 {
    low + up_to(draw, high.saturating_sub(low))
}
