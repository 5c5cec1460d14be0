//! Rests of a sidecar that has lost its control plane.

use agent::Backoff;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The rests of one sidecar.
#[pyclass(module = "sidecar._core")]
struct Reconnect(Backoff);

#[pymethods]
impl Reconnect {
    #[new]
    fn new() -> Self {
        Self(Backoff::default())
    }

    #[pyo3(signature = (draw, *, is_pushed_back = false))]
    fn rest_ns(&mut self, draw: f64, is_pushed_back: bool) -> PyResult<u64> {
        if !(0.0..=1.0).contains(&draw) {
            return Err(PyValueError::new_err(format!(
                "expected a draw from 0 to 1, found {draw}"
            )));
        }
        let rest = self.0.next(draw, is_pushed_back).as_nanos();
        Ok(u64::try_from(rest).unwrap_or(u64::MAX))
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Reconnect>()
}
