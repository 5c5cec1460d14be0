//! Limits that move with what is measured, and resources that are used too much.

use policy::Percent;
use policy::rate_limit::{adaptive, strain};
use pyo3::prelude::*;

use super::numbers::percent;

/// `AdaptiveParams` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct Params {
    min: u64,
    max: u64,
    target: u64,
}

impl From<Params> for adaptive::Params {
    fn from(params: Params) -> Self {
        Self {
            min: params.min,
            max: params.max,
            target: params.target,
        }
    }
}

/// A limit that moves.
#[pyclass(module = "sidecar._core")]
struct Adaptive(adaptive::Adaptive);

#[pymethods]
impl Adaptive {
    #[new]
    fn new(params: Params, start: u64, now_ns: u64) -> Self {
        Self(adaptive::Adaptive::new(params.into(), start, now_ns))
    }

    fn is_due(&self, now_ns: u64) -> bool {
        self.0.is_due(now_ns)
    }

    fn adapt(&mut self, measured: Option<u64>, now_ns: u64) -> u64 {
        self.0.adapt(measured, now_ns)
    }

    fn reconfigure(&mut self, params: Params) {
        self.0.reconfigure(params.into());
    }

    #[getter]
    fn limit(&self) -> u64 {
        self.0.limit()
    }
}

/// A resource that is used too much.
#[pyclass(module = "sidecar._core")]
struct Strain(strain::Strain);

#[pymethods]
impl Strain {
    #[new]
    fn new() -> Self {
        Self(strain::Strain::default())
    }

    fn observe(
        &mut self,
        #[pyo3(from_py_with = percent)] enter: Percent,
        #[pyo3(from_py_with = percent)] leave: Percent,
        #[pyo3(from_py_with = percent)] used: Percent,
    ) -> bool {
        let exit = leave;
        self.0.observe(strain::Thresholds { enter, exit }, used)
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Adaptive>()?;
    module.add_class::<Strain>()
}
