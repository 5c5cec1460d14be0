//! CoDel (RFC 8289): drops from a standing queue, one at first, then ever faster, until it no longer stands.
//!
//! **Theory of operation.** A queue that drains is good, however long; one in which everybody waits for longer
//! than `target` for a whole `interval` stands, and only adds latency. Then the entry whose turn it is goes, the
//! next after `interval / sqrt(2)`, then `interval / sqrt(3)` and so on, until an entry waited less than `target`.
//! A queue that stands again soon after is dropped from about as fast as before. The last entry never goes.
//!
//! | dropping | the entry waited | it is | dropping |
//! |---|---|---|---|
//! | no | less than `target`, or longer for less than an `interval` | served | no |
//! | no | longer for an `interval` | dropped | yes |
//! | yes | longer, and the next drop is not due | served | yes |
//! | yes | longer, and the next drop is due | dropped | yes |
//! | yes | less than `target` | served | no |

/// The settings of CoDel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// A wait that is no harm.
    pub target_ns: u64,
    /// For so long a queue may stand.
    pub interval_ns: u64,
}

/// The state of one queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Codel {
    /// When the queue will have stood for an interval; none while it does not stand.
    above_since_ns: Option<u64>,
    is_dropping: bool,
    /// Whether the last entry was dropped, and its drop not yet reckoned with.
    has_dropped: bool,
    next_drop_ns: u64,
    count: u64,
    last_count: u64,
}

impl Codel {
    /// Whether an entry that waited so long is dropped. `is_last`: nobody waits behind it.
    pub(super) fn drops(
        &mut self,
        params: &Params,
        waited_ns: u64,
        is_last: bool,
        now_ns: u64,
    ) -> bool {
        let stands = self.stands(params, waited_ns, is_last, now_ns);
        if !self.is_dropping {
            if stands {
                self.begin(params, now_ns);
            }
            return stands;
        }
        if !stands {
            self.is_dropping = false;
            self.has_dropped = false;
            return false;
        }
        if std::mem::take(&mut self.has_dropped) {
            self.next_drop_ns = later(params, self.next_drop_ns, self.count);
        }
        if now_ns < self.next_drop_ns {
            return false;
        }
        self.count += 1;
        self.has_dropped = true;
        true
    }

    /// Whether waits have been too long for a whole interval.
    const fn stands(
        &mut self,
        params: &Params,
        waited_ns: u64,
        is_last: bool,
        now_ns: u64,
    ) -> bool {
        if waited_ns < params.target_ns || is_last {
            self.above_since_ns = None;
            return false;
        }
        match self.above_since_ns {
            Some(since_ns) => now_ns >= since_ns,
            None => {
                self.above_since_ns = Some(now_ns.saturating_add(params.interval_ns));
                false
            }
        }
    }

    fn begin(&mut self, params: &Params, now_ns: u64) {
        let grown = self.count - self.last_count;
        let is_soon = now_ns.saturating_sub(self.next_drop_ns) < 16 * params.interval_ns;
        self.count = if grown > 1 && is_soon { grown } else { 1 };
        self.last_count = self.count;
        self.next_drop_ns = later(params, now_ns, self.count);
        self.is_dropping = true;
    }

    /// Notes that the queue was empty: it does not stand.
    pub(super) const fn rest(&mut self) {
        self.above_since_ns = None;
    }

    /// Whether the queue stands, as far as its last entry told.
    pub(super) const fn is_dropping(&self) -> bool {
        self.is_dropping
    }
}

/// `interval / sqrt(count)` after an instant.
fn later(params: &Params, from_ns: u64, count: u64) -> u64 {
    let interval = u128::from(params.interval_ns);
    let step_ns = (interval * interval / u128::from(count.max(1))).isqrt() as u64;
    from_ns.saturating_add(step_ns)
}

#[cfg(test)]
mod tests;
