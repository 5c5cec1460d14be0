//! How much of its cgroup a workload uses: measured by somebody else at intervals, read here whenever it is needed.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use policy::Percent;
use policy::rate_limit::strain::Resource;

/// The last readings; one writer, any number of readers.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Parts per million by resource, and 1; 0: not known.
    readings: [AtomicU32; Resource::ALL.len()],
    is_wanted: AtomicBool,
}

impl Gauges {
    /// Tells what was measured; none when nobody knows.
    pub fn publish(&self, resource: Resource, used: Option<Percent>) {
        let reading = used.map_or(0, |used| used.millionths().saturating_add(1));
        self.readings[resource as usize].store(reading, Relaxed);
    }

    /// What was measured last; none when nobody knows.
    #[must_use]
    pub fn read(&self, resource: Resource) -> Option<Percent> {
        let reading = self.readings[resource as usize].load(Relaxed);
        reading.checked_sub(1).map(Percent::from_millionths)
    }

    /// Whether some policy follows them; nothing but memory need be measured otherwise.
    #[must_use]
    pub fn are_wanted(&self) -> bool {
        self.is_wanted.load(Relaxed)
    }

    pub(crate) fn want(&self, is_wanted: bool) {
        self.is_wanted.store(is_wanted, Relaxed);
    }
}

#[cfg(test)]
mod tests;
