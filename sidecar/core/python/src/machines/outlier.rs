//! Outlier detection over a set of endpoints.

use policy::Percent;
use policy::outlier::{self, Cause, Detector, Record, Recorded, Signal};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

use super::numbers::percent;
use super::words::parse;

const SIGNALS: &[(&str, Signal)] = &[
    ("success", Signal::Success),
    ("failure", Signal::Failure),
    ("gateway_failure", Signal::GatewayFailure),
    ("connect_failure", Signal::ConnectFailure),
];

/// `SuccessRate` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct SuccessRate {
    stdev_factor: f64,
    minimum_endpoints: u32,
    minimum_requests: u32,
}

/// `FailurePercentage` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct FailurePercentage {
    #[pyo3(from_py_with = percent)]
    threshold: Percent,
    minimum_endpoints: u32,
    minimum_requests: u32,
}

/// `SlowerThanOthers` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct Latency {
    factor: f64,
    sweeps: u32,
    minimum_samples: u32,
}

/// `OutlierParams` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct Params {
    interval_ns: u64,
    consecutive_failures: Option<u32>,
    consecutive_gateway_failures: Option<u32>,
    connect_failures: Option<u32>,
    success_rate: Option<SuccessRate>,
    failure_percentage: Option<FailurePercentage>,
    latency: Option<Latency>,
    base_ns: u64,
    max_ns: u64,
}

impl From<Params> for outlier::Params {
    fn from(params: Params) -> Self {
        Self {
            interval_ns: params.interval_ns,
            consecutive_failures: params.consecutive_failures,
            consecutive_gateway_failures: params.consecutive_gateway_failures,
            connect_failures: params.connect_failures,
            success_rate: params.success_rate.map(|rules| outlier::SuccessRate {
                stdev_factor: rules.stdev_factor,
                minimum_endpoints: rules.minimum_endpoints,
                minimum_requests: rules.minimum_requests,
            }),
            failure_percentage: params
                .failure_percentage
                .map(|rules| outlier::FailurePercentage {
                    threshold: rules.threshold,
                    minimum_endpoints: rules.minimum_endpoints,
                    minimum_requests: rules.minimum_requests,
                }),
            latency: params.latency.map(|rules| outlier::Latency {
                factor: rules.factor,
                sweeps: rules.sweeps,
                minimum_samples: rules.minimum_samples,
            }),
            base_ns: params.base_ns,
            max_ns: params.max_ns,
        }
    }
}

struct Endpoint(Record);

impl Recorded for Endpoint {
    fn record(&self) -> &Record {
        &self.0
    }

    fn record_mut(&mut self) -> &mut Record {
        &mut self.0
    }
}

/// The detectors over one set of endpoints, and what they hold of each.
#[pyclass(module = "sidecar._core")]
struct Outliers {
    detector: Detector,
    endpoints: Vec<Endpoint>,
}

impl Outliers {
    fn record(&self, endpoint: usize) -> PyResult<&Record> {
        let found = self.endpoints.get(endpoint).map(Recorded::record);
        found.ok_or_else(|| missing(endpoint))
    }
}

fn missing(endpoint: usize) -> PyErr {
    PyIndexError::new_err(format!(
        "expected the position of an endpoint, found {endpoint}"
    ))
}

#[pymethods]
impl Outliers {
    #[new]
    fn new(count: usize, params: Params, now_ns: u64) -> Self {
        Self {
            detector: Detector::new(params.into(), now_ns),
            endpoints: (0..count).map(|_| Endpoint(Record::default())).collect(),
        }
    }

    fn on_result(
        &mut self,
        endpoint: usize,
        signal: &str,
        latency_ns: u64,
        now_ns: u64,
    ) -> PyResult<Option<&'static str>> {
        let signal = parse(signal, SIGNALS)?;
        let found = self.endpoints.get_mut(endpoint);
        let record = found.ok_or_else(|| missing(endpoint))?.record_mut();
        let cause = self.detector.on_result(record, signal, latency_ns, now_ns);
        Ok(cause.map(Cause::as_str))
    }

    fn sweep(&mut self, now_ns: u64) -> Vec<(u32, &'static str)> {
        let ejections = self.detector.sweep(&mut self.endpoints, now_ns);
        ejections
            .into_iter()
            .map(|ejection| (ejection.endpoint, ejection.cause.as_str()))
            .collect()
    }

    fn ejected(&self, endpoint: usize, now_ns: u64) -> PyResult<Option<(u64, u64)>> {
        Ok(self.record(endpoint)?.ejected(now_ns))
    }

    fn ejections(&self, endpoint: usize) -> PyResult<u32> {
        Ok(self.record(endpoint)?.ejections())
    }

    fn share(&self, endpoint: usize, now_ns: u64) -> PyResult<f64> {
        Ok(f64::from(self.record(endpoint)?.share(now_ns).millionths()) / 10_000.0)
    }

    #[getter]
    fn due_ns(&self) -> u64 {
        self.detector.due_ns()
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Outliers>()
}
