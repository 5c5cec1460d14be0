//! Outlier detection: sets aside the endpoints that do worse than they should, for a while.
//!
//! **Theory of operation.** Every endpoint has a [`Record`]. Failures in a row eject it at once. Everything
//! else is judged at a *sweep*, once per interval, over what the interval counted: a success rate far below
//! that of the others, a share of failures, latencies a multiple of the others'. Each detector is off unless
//! its settings are there.
//!
//! An endpoint is ejected for `base` times the number of its ejections, at most `max`; the number falls by one
//! with every sweep that finds it healthy. It returns by steps: 10, 25, 50, then 100 % of a fair share, one
//! step per interval. How many may be set aside at all is decided with the breakers, in [`crate::readiness`].

mod judge;
mod record;
mod signal;

pub use record::Record;
pub use signal::Signal;

use crate::Percent;

/// Success rates of the endpoints compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuccessRate {
    /// Ejected when so many standard deviations below the mean.
    pub stdev_factor: f64,
    /// Nothing is compared among fewer endpoints.
    pub minimum_endpoints: u32,
    /// An endpoint with fewer calls in the interval is left out.
    pub minimum_requests: u32,
}

/// Failures of one endpoint as a share of its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailurePercentage {
    /// Ejected at this share, or above.
    pub threshold: Percent,
    /// Nothing is judged among fewer endpoints.
    pub minimum_endpoints: u32,
    /// An endpoint with fewer calls in the interval is left out.
    pub minimum_requests: u32,
}

/// The latency of one endpoint compared with the others'.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Slow when its p90 is above so many times the median of its peers' p90.
    pub factor: f64,
    /// Ejected when slow at so many sweeps in a row.
    pub sweeps: u32,
    /// An endpoint with fewer calls in the interval is left out.
    pub minimum_samples: u32,
}

/// Settings of an `outlierDetection:` block; a detector that is `None` is off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    /// Time between sweeps.
    pub interval_ns: u64,
    /// Failures in a row, of any kind.
    pub consecutive_failures: Option<u32>,
    /// Failures in a row that look like a gateway's: nobody behind the address answered.
    pub consecutive_gateway_failures: Option<u32>,
    /// Connections in a row that could not be made.
    pub connect_failures: Option<u32>,
    /// Success rates compared.
    pub success_rate: Option<SuccessRate>,
    /// The share of failures.
    pub failure_percentage: Option<FailurePercentage>,
    /// Latencies compared.
    pub latency: Option<Latency>,
    /// Ejection time per ejection.
    pub base_ns: u64,
    /// The longest ejection time.
    pub max_ns: u64,
}

/// Why an endpoint was ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Failures in a row.
    ConsecutiveFailures,
    /// Gateway failures in a row.
    ConsecutiveGatewayFailures,
    /// Connections refused or timed out, in a row.
    ConnectFailures,
    /// A success rate far below the others'.
    SuccessRate,
    /// Too large a share of failures.
    FailurePercentage,
    /// Slower than the others for too long.
    Latency,
}

impl Cause {
    /// The word for people and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::ConsecutiveGatewayFailures => "consecutive_gateway_failures",
            Self::ConnectFailures => "connect_failures",
            Self::SuccessRate => "success_rate",
            Self::FailurePercentage => "failure_percentage",
            Self::Latency => "latency",
        }
    }
}

/// An endpoint that was ejected at a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// Its position in the set.
    pub endpoint: u32,
    /// Why.
    pub cause: Cause,
}

/// One endpoint of the set, seen through its record.
pub trait Recorded {
    /// What was counted of it.
    fn record(&self) -> &Record;
    /// The same, to change.
    fn record_mut(&mut self) -> &mut Record;
}

/// The detectors over one set of endpoints.
#[derive(Clone, Debug)]
pub struct Detector {
    params: Params,
    due_ns: u64,
}

impl Detector {
    /// Its first sweep is one interval after `now_ns`.
    #[must_use]
    pub const fn new(params: Params, now_ns: u64) -> Self {
        Self {
            params,
            due_ns: now_ns.saturating_add(params.interval_ns),
        }
    }

    /// Takes new settings; ejections under way keep their time, and another interval begins now.
    pub const fn reconfigure(&mut self, params: Params, now_ns: u64) {
        if params.interval_ns != self.params.interval_ns {
            self.due_ns = now_ns.saturating_add(params.interval_ns);
        }
        self.params = params;
    }

    /// The settings in force.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// When the next sweep is due.
    #[must_use]
    pub const fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// Records how an attempt at an endpoint ended; says why, when that ejects it.
    pub fn on_result(
        &self,
        record: &mut Record,
        signal: Signal,
        latency_ns: u64,
        now_ns: u64,
    ) -> Option<Cause> {
        if record.is_ejected(now_ns) {
            return None;
        }
        record.count(signal, latency_ns, self.params.latency.is_some());
        let cause = record.streak_cause(&self.params)?;
        record.eject(cause, &self.params, now_ns);
        Some(cause)
    }

    /// Judges every endpoint if an interval has ended; returns whom that ejects, in order.
    ///
    /// One that comes late judges what was counted since the last; intervals that passed unseen had no calls,
    /// and find everybody healthy who was in use by then.
    pub fn sweep<R: Recorded>(&mut self, members: &mut [R], now_ns: u64) -> Vec<Ejection> {
        if now_ns < self.due_ns {
            return Vec::new();
        }
        let interval_ns = self.params.interval_ns.max(1);
        let missed = (now_ns - self.due_ns) / interval_ns;
        let last_ns = self.due_ns + missed * interval_ns;
        self.due_ns = last_ns.saturating_add(interval_ns);
        let ejections = judge::judge(&self.params, members, now_ns);
        for ejection in &ejections {
            let record = members[ejection.endpoint as usize].record_mut();
            record.eject(ejection.cause, &self.params, now_ns);
        }
        for member in members {
            let record = member.record_mut();
            if self.params.latency.is_none() {
                record.note_slow(false);
            }
            let in_use_ns = last_ns.checked_sub(record.returned_ns());
            let healthy =
                in_use_ns.map_or(0, |in_use_ns| (in_use_ns / interval_ns).min(missed) + 1);
            record.end_interval(healthy, now_ns);
        }
        ejections
    }
}

#[cfg(test)]
mod tests;
