//! How long successful attempts took lately: the median of the last minute.

use crate::Percent;
use crate::window::TenBuckets;

const MINUTE_NS: u64 = 60_000_000_000;
/// Below so many attempts the median means nothing.
const ENOUGH: u32 = 20;

/// Steps are powers of two from 2^16 ns (65 us) to 2^37 ns (137 s), cut in eight each: within 6 %.
const FIRST_POWER: u32 = 16;
const POWERS: u32 = 21;
const CUTS: u32 = 8;
const STEPS: usize = (POWERS * CUTS) as usize;

/// The latencies of successful attempts over the last minute.
#[derive(Clone, Debug)]
pub struct RecentLatency {
    window: TenBuckets<STEPS>,
}

impl Default for RecentLatency {
    fn default() -> Self {
        Self {
            window: TenBuckets::new(MINUTE_NS),
        }
    }
}

impl RecentLatency {
    /// Adds a successful attempt.
    #[inline]
    pub fn record(&mut self, latency_ns: u64, now_ns: u64) {
        self.window.add(now_ns, step_of(latency_ns));
    }

    /// The latency that half of the attempts did not exceed; none unless there are at least 20.
    pub fn p50_ns(&mut self, now_ns: u64) -> Option<u64> {
        let counts = self.window.totals(now_ns);
        let count: u32 = counts.iter().sum();
        let rank = Percent::new(50)
            .rank(u64::from(count))
            .filter(|_| count >= ENOUGH)?;
        let mut below = 0;
        let step = counts.iter().position(|&count| {
            below += u64::from(count);
            below >= rank
        })?;
        Some(middle_of(step))
    }
}

const fn step_of(latency_ns: u64) -> usize {
    let power = match latency_ns.checked_ilog2() {
        Some(power) if power >= FIRST_POWER => power,
        _ => return 0,
    };
    let cut = (latency_ns >> (power - CUTS.ilog2())) as u32 % CUTS;
    let step = ((power - FIRST_POWER) * CUTS + cut) as usize;
    if step < STEPS { step } else { STEPS - 1 }
}

const fn middle_of(step: usize) -> u64 {
    let (power, cut) = (FIRST_POWER + step as u32 / CUTS, step as u64 % CUTS as u64);
    let width_ns = 1 << (power - CUTS.ilog2());
    (1 << power) + cut * width_ns + width_ns / 2
}

#[cfg(test)]
mod tests;
