//! The closed list of reasons.

use policy::grpc::Code;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// One row of the table of reasons.
#[pyclass(frozen, module = "sidecar._core")]
pub(super) struct Reason(policy::Reason);

#[pymethods]
impl Reason {
    #[getter]
    fn word(&self) -> &'static str {
        self.0.as_str()
    }

    #[getter]
    fn http_status(&self) -> Option<u16> {
        self.0.http_status()
    }

    #[getter]
    fn grpc_code(&self) -> Option<u8> {
        self.0.grpc_code().map(Code::number)
    }

    #[getter]
    fn grpc_name(&self) -> Option<&'static str> {
        self.0.grpc_code().map(Code::name)
    }

    #[getter]
    fn proxy_status_error(&self) -> Option<&'static str> {
        self.0.proxy_status_error()
    }

    #[getter]
    fn flags(&self) -> &'static str {
        self.0.envoy_flags()
    }

    #[getter]
    fn is_retry_after_known(&self) -> bool {
        self.0.retry_after_known()
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Reason>()?;
    let reasons = policy::Reason::ALL
        .iter()
        .map(|&reason| Reason(reason))
        .map(|row| Py::new(module.py(), row));
    module.add(
        "REASONS",
        PyTuple::new(module.py(), reasons.collect::<PyResult<Vec<_>>>()?)?,
    )
}
