//! Latencies: the histogram that adds up, and percentiles of the last minute.

use policy::Percent;
use policy::{histogram, latency};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::numbers::percent;

/// Counts per bucket and their sum.
#[pyclass(module = "sidecar._core")]
struct Histogram(histogram::Histogram);

#[pymethods]
impl Histogram {
    #[new]
    fn new() -> Self {
        Self(histogram::Histogram::default())
    }

    fn record(&mut self, latency_ns: u64) {
        self.0.record(latency_ns);
    }

    fn merge(&mut self, other: PyRef<'_, Self>) {
        self.0.merge(&other.0);
    }

    fn quantile_ns(&self, #[pyo3(from_py_with = percent)] share: Percent) -> Option<u64> {
        self.0.quantile_ns(share)
    }

    #[getter]
    fn counts(&self) -> Vec<u64> {
        self.0.counts().to_vec()
    }

    #[getter]
    fn sum_ns(&self) -> u64 {
        self.0.sum_ns()
    }
}

/// The latencies of successful attempts over the last minute.
#[pyclass(module = "sidecar._core")]
pub(super) struct RecentLatency(pub(super) latency::RecentLatency);

#[pymethods]
impl RecentLatency {
    #[new]
    fn new() -> Self {
        Self(latency::RecentLatency::default())
    }

    fn record(&mut self, latency_ns: u64, now_ns: u64) {
        self.0.record(latency_ns, now_ns);
    }

    fn p50_ns(&mut self, now_ns: u64) -> Option<u64> {
        self.0.p50_ns(now_ns)
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Histogram>()?;
    module.add_class::<RecentLatency>()?;
    module.add(
        "HISTOGRAM_BOUNDS_NS",
        PyTuple::new(module.py(), histogram::BOUNDS_NS)?,
    )
}
