//! Patience with clients that reset their streams at once: streams in flight are bounded, but a reset gives the place
//! back before the work that it began is over (CVE-2023-44487).

/// Streams reset within so long were never meant.
const MEANT_NS: u64 = 10_000_000;
/// So many of them, less those that ended well, and the client has to go.
const MOST: u32 = 50;

/// What one connection's resets came to.
#[derive(Debug, Default)]
pub(super) struct Patience {
    wasted: u32,
}

impl Patience {
    /// A stream ended by itself.
    pub(super) const fn on_end(&mut self) {
        self.wasted = self.wasted.saturating_sub(1);
    }

    /// The client left a stream that had lived for so long.
    pub(super) const fn on_leave(&mut self, lived_ns: u64) {
        if lived_ns < MEANT_NS {
            self.wasted += 1;
        }
    }

    /// Whether it is exhausted.
    pub(super) const fn is_over(&self) -> bool {
        self.wasted > MOST
    }
}

#[cfg(test)]
mod tests;
