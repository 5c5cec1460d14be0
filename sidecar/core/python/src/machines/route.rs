//! Routes.

use policy::route::Text;
use pyo3::prelude::*;

/// What is wrong with an expression of a match, in words; `None` when nothing is.
#[pyfunction]
fn expression_fault(source: &str) -> Option<String> {
    Text::expression(source)
        .err()
        .map(|error| error.to_string())
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(expression_fault, module)?)
}
