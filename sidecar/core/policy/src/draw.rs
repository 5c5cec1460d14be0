//! Uniform integers out of 64 uniform bits, by multiplication: no loop, a bias below 2^-64 of the range.

/// Uniform in `0..=max`.
pub(crate) const fn up_to(draw: u64, max: u64) -> u64 {
    ((draw as u128 * (max as u128 + 1)) >> 64) as u64
}

/// Bits that look independent of these: the finalizer of SplitMix64 (Steele, Lea, Flood: "Fast splittable
/// pseudorandom number generators", 2014).
pub(crate) const fn another(draw: u64) -> u64 {
    let mixed = draw.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Uniform in `low..=high`; `low` when the range is empty.
pub(crate) const fn between(draw: u64, low: u64, high: u64) -> u64 {
    low + up_to(draw, high.saturating_sub(low))
}
