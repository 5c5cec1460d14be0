//! How waiting times grow: `base x multiplier^n`, at most `max`.

/// A factor of at least 1, exact to a thousandth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Multiplier(u32);

impl Multiplier {
    /// So many thousandths; below 1000 it counts as 1000, since waits never shrink.
    #[must_use]
    pub const fn from_thousandths(thousandths: u32) -> Self {
        Self(if thousandths < 1000 {
            1000
        } else {
            thousandths
        })
    }

    const fn scale(self, wait_ns: u64) -> u64 {
        let scaled = wait_ns as u128 * self.0 as u128 / 1000;
        if scaled > u64::MAX as u128 {
            u64::MAX
        } else {
            scaled as u64
        }
    }
}

/// `base x multiplier^n` in nanoseconds, at most `max`, each step rounded down to a nanosecond.
///
/// Costs one step per growth until `max` is reached, at most `n`.
#[must_use]
pub fn exponential(base_ns: u64, multiplier: Multiplier, max_ns: u64, n: u32) -> u64 {
    let mut wait_ns = base_ns;
    for _ in 0..n {
        let grown_ns = multiplier.scale(wait_ns);
        if wait_ns >= max_ns || grown_ns == wait_ns {
            break;
        }
        wait_ns = grown_ns;
    }
    wait_ns.min(max_ns)
}

#[cfg(test)]
mod tests;
