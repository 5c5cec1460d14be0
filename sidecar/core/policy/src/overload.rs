//! Overload: a peer's refusals for load, as far as breakers count them.
//!
//! One burst of refusals tells no more than one of them, so at most one counts in 100 ms.

/// Refusals within so long of one that counted do not.
const APART_NS: u64 = 100_000_000;

/// Whether a peer that refused with this reason has more work than it can do.
#[must_use]
pub fn is_overload(word: &str) -> bool {
    matches!(word, "queue.full" | "queue.evicted") || word.starts_with("shed.")
}

/// Lets one signal through in 100 ms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Damper {
    last_ns: Option<u64>,
}

impl Damper {
    /// Whether a signal counts.
    pub const fn counts(&mut self, now_ns: u64) -> bool {
        let counts = match self.last_ns {
            None => true,
            Some(last_ns) => now_ns.saturating_sub(last_ns) >= APART_NS,
        };
        if counts {
            self.last_ns = Some(now_ns);
        }
        counts
    }
}

#[cfg(test)]
mod tests;
