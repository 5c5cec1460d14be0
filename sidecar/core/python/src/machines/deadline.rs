//! Deadlines.

use policy::deadline::{self, Bounds, GrpcTimeout};
use pyo3::prelude::*;

/// The instant by which a request has to be done.
#[pyclass(frozen, module = "sidecar._core")]
struct Deadline(deadline::Deadline);

#[pymethods]
impl Deadline {
    #[getter]
    fn at_ns(&self) -> u64 {
        self.0.at_ns()
    }

    #[getter]
    fn is_callers(&self) -> bool {
        self.0.is_callers()
    }

    fn left_ns(&self, now_ns: u64) -> u64 {
        self.0.left_ns(now_ns)
    }

    fn handed_on_ms(&self, now_ns: u64) -> u64 {
        self.0.handed_on_ms(now_ns)
    }

    fn handed_on_grpc(&self, now_ns: u64) -> String {
        GrpcTimeout::from_ns(self.0.handed_on_ns(now_ns)).to_string()
    }
}

#[derive(IntoPyObject)]
enum Fixed {
    Deadline(Option<Deadline>),
    Exhausted(&'static str),
}

#[pyfunction]
#[pyo3(signature = (now_ns, *, policy_ns = None, carried_ns = None, grpc_ns = None))]
fn fix_deadline(
    now_ns: u64,
    policy_ns: Option<u64>,
    carried_ns: Option<u64>,
    grpc_ns: Option<u64>,
) -> Fixed {
    match deadline::Deadline::fix(
        &Bounds {
            policy_ns,
            carried_ns,
            grpc_ns,
        },
        now_ns,
    ) {
        Ok(fixed) => Fixed::Deadline(fixed.map(Deadline)),
        Err(_) => Fixed::Exhausted("exhausted"),
    }
}

#[pyfunction]
fn parse_deadline_ms(field: &[u8]) -> Option<u64> {
    deadline::parse_deadline_ms(field)
}

#[pyfunction]
fn parse_grpc_timeout(field: &[u8]) -> Option<u64> {
    deadline::parse_grpc_timeout(field)
}

#[pyfunction]
fn encode_grpc_timeout(left_ns: u64) -> String {
    GrpcTimeout::from_ns(left_ns).to_string()
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Deadline>()?;
    module.add_function(wrap_pyfunction!(fix_deadline, module)?)?;
    module.add_function(wrap_pyfunction!(parse_deadline_ms, module)?)?;
    module.add_function(wrap_pyfunction!(parse_grpc_timeout, module)?)?;
    module.add_function(wrap_pyfunction!(encode_grpc_timeout, module)?)
}
