//! Shortage of memory: noticed once a second. As long as it lasts, readers that take nothing are waited for less long.

use std::cell::Cell;

use policy::Percent;
use policy::rate_limit::strain::{Strain, Thresholds};
use policy::standstill::{Params, Verdict};

/// How much is used when memory is short, and when no longer.
const SHORT: Thresholds = Thresholds {
    enter: Percent::new(90),
    exit: Percent::new(80),
};

/// Whether memory is short.
#[derive(Debug)]
pub(crate) struct Shortage {
    params: Params,
    strain: Cell<Strain>,
}

impl Shortage {
    pub(crate) fn new(params: Params) -> Self {
        Self {
            params,
            strain: Cell::default(),
        }
    }

    /// Takes how much of the memory is used; what nobody knows is enough.
    pub(crate) fn observe(&self, used: Option<Percent>) {
        let mut strain = self.strain.get();
        strain.observe(SHORT, used.unwrap_or(Percent::new(0)));
        self.strain.set(strain);
    }

    /// Judges an answer whose reader has taken nothing since `since_ns`, and may do so for `idle_ns`.
    pub(crate) fn judge(&self, since_ns: u64, idle_ns: u64, now_ns: u64) -> Verdict {
        let is_short = self.strain.get().is_strained();
        self.params.judge(since_ns, idle_ns, is_short, now_ns)
    }
}
