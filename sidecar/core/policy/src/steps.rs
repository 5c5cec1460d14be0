//! Latencies counted in steps of about 10 %, fine enough to compare percentiles.
//!
//! Steps are powers of two from 2^16 ns (65 us) to 2^37 ns (137 s), cut in eight each: a step's middle is
//! within 6 % of everything in it.

use crate::Percent;

const FIRST_POWER: u32 = 16;
const POWERS: u32 = 21;
const CUTS: u32 = 8;

/// How many steps there are.
pub(crate) const STEPS: usize = (POWERS * CUTS) as usize;

/// Counts per step.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    counts: [u32; STEPS],
    count: u32,
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            counts: [0; STEPS],
            count: 0,
        }
    }
}

impl Steps {
    pub(crate) fn record(&mut self, latency_ns: u64) {
        let count = &mut self.counts[step_of(latency_ns)];
        *count = count.saturating_add(1);
        self.count = self.count.saturating_add(1);
    }

    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn quantile_ns(&self, share: Percent) -> Option<u64> {
        quantile_ns(&self.counts, share)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The step of a latency; what is out of range goes to the first or the last.
pub(crate) const fn step_of(latency_ns: u64) -> usize {
    let power = match latency_ns.checked_ilog2() {
        Some(power) if power >= FIRST_POWER => power,
        _ => return 0,
    };
    let cut = (latency_ns >> (power - CUTS.ilog2())) as u32 % CUTS;
    let step = ((power - FIRST_POWER) * CUTS + cut) as usize;
    if step < STEPS { step } else { STEPS - 1 }
}

/// The middle of the step that holds the latency which this share does not exceed; none when nothing is counted.
pub(crate) fn quantile_ns(counts: &[u32; STEPS], share: Percent) -> Option<u64> {
    let count = counts.iter().map(|&count| u64::from(count)).sum();
    let rank = share.rank(count)?;
    let mut below = 0;
    let step = counts.iter().position(|&count| {
        below += u64::from(count);
        below >= rank
    })?;
    Some(middle_of(step))
}

const fn middle_of(step: usize) -> u64 {
    let (power, cut) = (FIRST_POWER + step as u32 / CUTS, step as u64 % CUTS as u64);
    let width_ns = 1 << (power - CUTS.ilog2());
    (1 << power) + cut * width_ns + width_ns / 2
}

#[cfg(test)]
mod tests;
