//! Adaptive concurrency: a limit that follows latency (Gradient2).
//!
//! **Theory of operation.** Latency is averaged over windows of at least 100 ms and 10 requests, and these averages
//! over some 600 windows. While recent latency is within `tolerance` of the long average, the limit grows by the
//! square root of itself, which is what may queue inside the application; beyond that it shrinks by as much as
//! latency grew, by half at most. `smoothing` of each step is taken. No traffic is held back to measure without it.
//!
//! | in the last window | the limit |
//! |---|---|
//! | less than half of the limit was used | stays: nothing is learnt about it |
//! | latency was within its tolerance | grows |
//! | latency was beyond, and went up and down with the number in flight | shrinks |
//! | latency was beyond, and did not | stays: something else is slow, and refusing more would not help |

/// Windows that the long average looks back on.
const LONG_WINDOWS: f64 = 600.0;
/// The first averages are plain ones.
const WARM_UP: u32 = 10;
const WINDOW_NS: u64 = 100_000_000;
const WINDOW_REQUESTS: u32 = 10;
/// Where a limit begins.
const START: u32 = 20;
/// The share of the last request in the moments of latency and number in flight.
const LATEST: f64 = 0.01;
/// The square of the least correlation that says anything: 0.3.
const CORRELATED: f64 = 0.09;

/// The settings of an adaptive limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    /// The lower bound.
    pub min: u32,
    /// The upper bound.
    pub max: u32,
    /// How much longer than on average is no harm.
    pub tolerance: f64,
    /// How much of each step is taken.
    pub smoothing: f64,
}

/// One adaptive limit.
#[derive(Clone, Copy, Debug)]
pub struct Gradient {
    params: Params,
    limit: f64,
    long: Average,
    window: Window,
    moments: Moments,
}

/// The requests of the current window.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    since_ns: u64,
    count: u32,
    latency_ns: u64,
    most_in_flight: u32,
}

/// An average that slowly forgets.
#[derive(Clone, Copy, Debug, Default)]
struct Average {
    count: u32,
    value: f64,
}

/// Whether the number in flight and latency go up and down together.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    in_flight: Moment,
    latency: Moment,
    covariance: f64,
}

/// Mean and variance.
#[derive(Clone, Copy, Debug, Default)]
struct Moment {
    mean: Option<f64>,
    variance: f64,
}

impl Gradient {
    /// Starts at 20, within the bounds.
    #[must_use]
    pub fn new(params: Params) -> Self {
        Self {
            limit: within(&params, f64::from(START)),
            params,
            long: Average::default(),
            window: Window::default(),
            moments: Moments::default(),
        }
    }

    /// Learns from a request that took so long while, itself included, so many were in flight.
    pub fn sample(&mut self, latency_ns: u64, in_flight: u32, now_ns: u64) {
        self.moments.add(f64::from(in_flight), latency_ns as f64);
        self.window.add(latency_ns, in_flight, now_ns);
        if self.window.is_over(now_ns) {
            let window = std::mem::take(&mut self.window);
            self.adapt(&window);
        }
    }

    fn adapt(&mut self, window: &Window) {
        let short = (window.latency_ns as f64 / f64::from(window.count)).max(1.0);
        let long = self.long.add(short);
        if long > 2.0 * short {
            self.long.value *= 0.95;
        }
        if f64::from(window.most_in_flight) < self.limit / 2.0 {
            return;
        }
        let gradient = (self.params.tolerance * long / short).clamp(0.5, 1.0);
        let wanted = self.limit * gradient + self.limit.sqrt();
        let smoothing = self.params.smoothing;
        let limit = self.limit * (1.0 - smoothing) + wanted * smoothing;
        if limit >= self.limit || self.moments.are_correlated() {
            self.limit = within(&self.params, limit);
        }
    }

    /// The limit now, in whole requests.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit as u32
    }

    /// Takes other settings; the limit stays, within the new bounds.
    pub fn reconfigure(&mut self, params: Params) {
        self.limit = within(&params, self.limit);
        self.params = params;
    }
}

fn within(params: &Params, limit: f64) -> f64 {
    let min = f64::from(params.min.max(1));
    limit.clamp(min, f64::from(params.max).max(min))
}

impl Window {
    fn add(&mut self, latency_ns: u64, in_flight: u32, now_ns: u64) {
        if self.count == 0 {
            self.since_ns = now_ns;
        }
        self.count += 1;
        self.latency_ns = self.latency_ns.saturating_add(latency_ns);
        self.most_in_flight = self.most_in_flight.max(in_flight);
    }

    const fn is_over(&self, now_ns: u64) -> bool {
        self.count >= WINDOW_REQUESTS && now_ns.saturating_sub(self.since_ns) >= WINDOW_NS
    }
}

impl Average {
    fn add(&mut self, value: f64) -> f64 {
        self.count = self.count.saturating_add(1);
        let share = if self.count <= WARM_UP {
            1.0 / f64::from(self.count)
        } else {
            2.0 / (LONG_WINDOWS + 1.0)
        };
        self.value += (value - self.value) * share;
        self.value
    }
}

impl Moments {
    fn add(&mut self, in_flight: f64, latency: f64) {
        let product = self.in_flight.add(in_flight) * self.latency.add(latency);
        self.covariance = decayed(self.covariance, product);
    }

    fn are_correlated(&self) -> bool {
        let variance = self.in_flight.variance * self.latency.variance;
        self.covariance > 0.0 && self.covariance * self.covariance >= CORRELATED * variance
    }
}

impl Moment {
    /// Takes a value in; returns how far off the mean it was.
    fn add(&mut self, value: f64) -> f64 {
        let mean = self.mean.unwrap_or(value);
        let off = value - mean;
        self.mean = Some(mean + LATEST * off);
        self.variance = decayed(self.variance, off * off);
        off
    }
}

fn decayed(moment: f64, latest: f64) -> f64 {
    (1.0 - LATEST) * (moment + LATEST * latest)
}

#[cfg(test)]
mod tests;
