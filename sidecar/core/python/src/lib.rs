//! The PyO3 binding: starts the core and exposes the pure machines; no logic.

mod fanout;
mod machines;
mod proxy;
mod seconds;

use pyo3::prelude::*;

/// The compiled core; `sidecar/fanout.py`, `sidecar/machines/` and `sidecar/proxy.py` are its typed faces.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    fanout::register(module)?;
    machines::register(module)?;
    proxy::register(module)
}
