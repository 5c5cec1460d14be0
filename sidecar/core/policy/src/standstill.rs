//! Standstill: how long an answer waits for a reader that takes nothing.
//!
//! Its time ends it, or, while memory is short, a shorter one: what it holds is wanted by others. Memory can become
//! short meanwhile, so that after the shorter time somebody looks again from time to time.

/// How long readers may stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// While memory is short.
    pub short_ns: u64,
    /// Time from one look to the next.
    pub look_ns: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            short_ns: 30_000_000_000,
            look_ns: 1_000_000_000,
        }
    }
}

/// What becomes of an answer whose reader stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It ends.
    Over,
    /// It goes on, and is looked at again then.
    Waits {
        /// That instant, in the future.
        until_ns: u64,
    },
}

impl Params {
    /// Judges an answer whose reader has taken nothing since `since_ns`, and may do so for `idle_ns`.
    #[must_use]
    pub fn judge(&self, since_ns: u64, idle_ns: u64, is_short: bool, now_ns: u64) -> Verdict {
        let end_ns = since_ns.saturating_add(idle_ns);
        let short_ns = since_ns.saturating_add(self.short_ns);
        if now_ns >= end_ns || (is_short && now_ns >= short_ns) {
            return Verdict::Over;
        }
        let look_ns = short_ns.max(now_ns.saturating_add(self.look_ns));
        let until_ns = if is_short { short_ns } else { look_ns };
        Verdict::Waits {
            until_ns: until_ns.min(end_ns),
        }
    }
}

#[cfg(test)]
mod tests;
