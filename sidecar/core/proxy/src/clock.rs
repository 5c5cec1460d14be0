//! Time as the worker counts it: nanoseconds since it began, monotonic, with the wall clock derived for people.

use std::time::{Duration, SystemTime};

use policy::moment::Moment;
use tokio::time::Instant;

/// The worker's clock; reading it is the only place where time enters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
    origin_at: SystemTime,
}

/// What the first instant counts as, so that zero can mean "never".
const FIRST_NS: u64 = 1_000_000_000;

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            origin: Instant::now(),
            origin_at: SystemTime::now(),
        }
    }

    /// Now, on both clocks.
    pub(crate) fn read(&self) -> Moment {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Moment {
            now_ns: self.now_ns(),
            unix_ns: nanoseconds(since_1970.unwrap_or_default()),
        }
    }

    /// Now, in nanoseconds; one reading of the system's clock.
    pub(crate) fn now_ns(&self) -> u64 {
        nanoseconds(self.origin.elapsed()).saturating_add(FIRST_NS)
    }

    /// The instant that `at_ns` counts.
    pub(crate) fn instant(&self, at_ns: u64) -> Instant {
        self.origin + Duration::from_nanos(at_ns.saturating_sub(FIRST_NS))
    }

    /// The wall clock's time at `at_ns`, unless somebody set that clock meanwhile.
    pub(crate) fn wall(&self, at_ns: u64) -> SystemTime {
        self.origin_at + Duration::from_nanos(at_ns.saturating_sub(FIRST_NS))
    }
}

/// A duration in nanoseconds; what is longer than 584 years is cut to that.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
