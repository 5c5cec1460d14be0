//! Slow start: an endpoint that joins others takes a growing part of its share, so that it can warm up.

use crate::Percent;
use crate::percent::WHOLE;

/// What it begins with.
const LEAST: Percent = Percent::new(10);

/// The warming up of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowStart {
    /// When it joined.
    pub since_ns: u64,
    /// How long it takes to its whole share.
    pub for_ns: u64,
}

impl SlowStart {
    /// What part of a fair share it may have: from a tenth, in a straight line.
    #[must_use]
    pub const fn share(&self, now_ns: u64) -> Percent {
        let passed_ns = now_ns.saturating_sub(self.since_ns);
        if passed_ns >= self.for_ns {
            return Percent::new(100);
        }
        let rest = (WHOLE - LEAST.millionths()) as u128;
        let grown = rest * passed_ns as u128 / self.for_ns as u128;
        Percent::from_millionths(LEAST.millionths() + grown as u32)
    }
}
