//! How long to wait before the control plane is tried again: exponential, with full jitter.

use std::time::Duration;

const BASE: Duration = Duration::from_millis(100);
const CAP: Duration = Duration::from_secs(4);
const PUSHED_BACK: Duration = Duration::from_secs(30);

/// The delay after each failure in a row, so that a fleet which lost its control plane returns spread out.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Delay before the next try: `draw`, from 0 to 1, of a ceiling that doubles with each failure up to 4 s,
    /// or to 30 s when the control plane itself asked for less.
    #[must_use]
    pub fn next(&mut self, draw: f64, pushed_back: bool) -> Duration {
        let grown = BASE.saturating_mul(1 << self.failures.min(16)).min(CAP);
        self.failures = self.failures.saturating_add(1);
        let ceiling = if pushed_back { PUSHED_BACK } else { grown };
        ceiling.mul_f64(draw)
    }

    /// Begins again at the base: the connection proved good.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests;
