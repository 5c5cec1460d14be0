//! What is measured.

use std::borrow::Cow;

use crate::name::ServiceName;

/// One family of measurements, cumulative since the worker began.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Name with unit, such as `breakwater_requests_total`.
    pub name: &'static str,
    /// What its values are.
    pub kind: MetricKind,
    /// Names of the labels, in the order of the values below.
    pub labels: &'static [&'static str],
    /// Upper bounds of a histogram's buckets, seconds, ascending; the last bucket has none.
    pub bounds: &'static [f64],
    /// The measurements.
    pub points: Vec<Point>,
}

/// What the values of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Moves either way.
    Gauge,
    /// Counts per bucket, each only growing.
    Histogram,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Values of the labels.
    pub labels: Vec<Cow<'static, str>>,
    /// Value of a counter or gauge; sum in seconds of a histogram.
    pub value: f64,
    /// Counts per bucket, not cumulative over buckets; histograms only.
    pub buckets: Vec<u64>,
}

/// Everything measured, and who was called.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Families, sorted by name.
    pub families: Vec<Family>,
    /// Services called in the last minute.
    pub called: Vec<ServiceName>,
    /// Requests in flight.
    pub in_flight: u32,
}
