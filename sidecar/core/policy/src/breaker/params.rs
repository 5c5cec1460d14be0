//! What a breaker is told: the fields of `breaker.service` and `breaker.endpoint` in a ResiliencePolicy.

use crate::Percent;
use crate::backoff::Multiplier;

/// The settings of one breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// Which calls the rates are taken over.
    pub window: Window,
    /// Rates are evaluated from so many calls in the window on; for a count window at most its size.
    pub minimum_requests: u32,
    /// What opens it.
    pub trip: Trip,
    /// The consecutive count starts again when no failure was recorded for so long.
    pub reset_timeout_ns: u64,
    /// How long it stays open.
    pub open: OpenTime,
    /// How it tries again.
    pub half_open: HalfOpen,
    /// How long it stays open when peers' refusals for overload tripped it; unset: they are not counted.
    pub overload_open_ns: Option<u64>,
}

/// Which calls the rates are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last calls.
    Count {
        /// How many, at least 1.
        size: u32,
    },
    /// The calls of the last stretch of time, in ten buckets.
    Time {
        /// How long.
        duration_ns: u64,
    },
}

/// What opens the breaker; any one does, what is unset never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trip {
    /// Failures among the window's calls, at least.
    pub error_rate: Option<Percent>,
    /// Slow calls among the window's calls, at least.
    pub slow_rate: Option<Percent>,
    /// A call is slow when longer than this.
    pub slow_after_ns: Option<u64>,
    /// Failures in a row.
    pub consecutive_failures: Option<u32>,
}

/// `base x multiplier^k`, `k` re-openings without a close between, at most `max`, then plus or minus `jitter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenTime {
    /// The first open time.
    pub base_ns: u64,
    /// Growth with each re-opening.
    pub multiplier: Multiplier,
    /// The longest open time, before jitter.
    pub max_ns: u64,
    /// The share of the open time by which it varies, both ways.
    pub jitter: Percent,
}

/// How a half-open breaker finds out whether the upstream works again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfOpen {
    /// How probes are admitted and judged.
    pub trial: Trial,
    /// A probe without response headers for so long fails; one still streaming then succeeds.
    pub max_wait_ns: u64,
}

/// How probes are admitted and judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// So many successes close it, the first failure opens it again; at most so many are out at a time.
    Successes(u32),
    /// So many probes are admitted in all, and judged by their rates once all have finished.
    Probes(u32),
}

impl Trip {
    /// Whether a call this long is slow; never, unless both `slow_rate` and `slow_after_ns` are set.
    pub(super) fn is_slow(&self, latency_ns: u64) -> bool {
        self.slow_rate.is_some()
            && self
                .slow_after_ns
                .is_some_and(|limit_ns| latency_ns > limit_ns)
    }
}

impl Trial {
    /// How many probes can be out at a time.
    pub(super) const fn places(self) -> u32 {
        match self {
            Self::Successes(places) | Self::Probes(places) => places,
        }
    }
}

impl Default for Params {
    /// The defaults of a present, empty block.
    fn default() -> Self {
        const SECOND: u64 = 1_000_000_000;
        Self {
            window: Window::Count { size: 100 },
            minimum_requests: 20,
            trip: Trip {
                error_rate: Some(Percent::new(50)),
                slow_rate: None,
                slow_after_ns: None,
                consecutive_failures: Some(5),
            },
            reset_timeout_ns: 60 * SECOND,
            open: OpenTime {
                base_ns: 30 * SECOND,
                multiplier: Multiplier::from_thousandths(2000),
                max_ns: 300 * SECOND,
                jitter: Percent::new(20),
            },
            half_open: HalfOpen {
                trial: Trial::Successes(3),
                max_wait_ns: 30 * SECOND,
            },
            overload_open_ns: None,
        }
    }
}
