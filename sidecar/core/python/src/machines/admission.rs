//! Admission control, and what a peer's refusals for load count for.

use policy::Percent;
use policy::admission;
use policy::overload::{self, Damper};
use pyo3::prelude::*;

use super::numbers::percent;

/// `AdmissionParams` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct Params {
    #[pyo3(from_py_with = percent)]
    success_rate: Percent,
    window_ns: u64,
    #[pyo3(from_py_with = percent)]
    max_reject: Percent,
}

impl From<Params> for admission::Params {
    fn from(params: Params) -> Self {
        Self {
            success_rate: params.success_rate,
            window_ns: params.window_ns,
            max_reject: params.max_reject,
        }
    }
}

/// Admission control towards one service.
#[pyclass(module = "sidecar._core")]
struct Admission(admission::Admission);

#[pymethods]
impl Admission {
    #[new]
    fn new(params: Params) -> Self {
        Self(admission::Admission::new(params.into()))
    }

    fn record(&mut self, is_success: bool, now_ns: u64) {
        self.0.record(is_success, now_ns);
    }

    fn admits(&mut self, now_ns: u64, draw: u64) -> bool {
        self.0.admits(now_ns, draw)
    }

    fn reconfigure(&mut self, params: Params) {
        self.0.reconfigure(params.into());
    }
}

/// What an upstream said it admits.
#[pyclass(module = "sidecar._core")]
struct AdmitRate(admission::AdmitRate);

#[pymethods]
impl AdmitRate {
    #[new]
    fn new() -> Self {
        Self(admission::AdmitRate::default())
    }

    fn hear(&mut self, #[pyo3(from_py_with = percent)] rate: Percent, now_ns: u64) {
        self.0.hear(rate, now_ns);
    }

    fn admits(&self, now_ns: u64, draw: u64) -> bool {
        self.0.admits(now_ns, draw)
    }
}

/// Lets one signal of overload through in 100 ms.
#[pyclass(module = "sidecar._core")]
struct OverloadDamper(Damper);

#[pymethods]
impl OverloadDamper {
    #[new]
    fn new() -> Self {
        Self(Damper::default())
    }

    fn counts(&mut self, now_ns: u64) -> bool {
        self.0.counts(now_ns)
    }
}

#[pyfunction]
fn is_overload(reason: &str) -> bool {
    overload::is_overload(reason)
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Admission>()?;
    module.add_class::<AdmitRate>()?;
    module.add_class::<OverloadDamper>()?;
    module.add_function(wrap_pyfunction!(is_overload, module)?)
}
