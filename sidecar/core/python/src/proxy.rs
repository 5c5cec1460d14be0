//! The running proxy for Python: settings in, the thread handed over, how it is told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::proxy::LogSink;
use agent::{Drain, OutboundUntil, Outputs, Remote};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::seconds::seconds;

/// The sidecar that runs in this process, if one does.
static RUNNING: Mutex<Option<Remote>> = Mutex::new(None);

/// Adds the proxy's part to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("VERSION", agent::VERSION)?;
    module.add_class::<Settings>()?;
    module.add_class::<Status>()?;
    module.add_function(wrap_pyfunction!(parse_settings, module)?)?;
    module.add_function(wrap_pyfunction!(run, module)?)?;
    module.add_function(wrap_pyfunction!(drain, module)?)?;
    module.add_function(wrap_pyfunction!(order_drain, module)?)?;
    module.add_function(wrap_pyfunction!(status, module)?)
}

/// What a sidecar is started with, read and found good.
#[pyclass(frozen, module = "sidecar._core")]
struct Settings(Box<agent::Settings>);

#[pymethods]
impl Settings {
    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// How a running sidecar is.
#[pyclass(frozen, get_all, module = "sidecar._core")]
struct Status {
    is_ready: bool,
    is_connected: bool,
    is_unenforced: bool,
    revision: i64,
}

/// Settings, or problems as flag and text.
#[derive(IntoPyObject)]
enum Parsed {
    Settings(Settings),
    Problems(Vec<(&'static str, String)>),
}

#[pyfunction]
fn parse_settings(values: BTreeMap<String, Vec<String>>) -> Parsed {
    match agent::parse_settings(&values) {
        Ok(settings) => Parsed::Settings(Settings(Box::new(settings))),
        Err(problems) => {
            let tell = |problem: agent::Problem| (problem.flag, problem.message);
            Parsed::Problems(problems.into_iter().map(tell).collect())
        }
    }
}

#[pyfunction]
fn run(python: Python<'_>, settings: &Bound<'_, Settings>) -> PyResult<()> {
    let settings = (*settings.get().0).clone();
    let outputs = Outputs {
        log: Box::new(std::io::stderr()),
        access_log: LogSink::new(std::io::stdout()),
    };
    let result =
        python.detach(|| agent::run(settings, outputs, |remote| *running() = Some(remote)));
    *running() = None;
    result.map_err(|error| PyRuntimeError::new_err(error.to_string()))
}

#[pyfunction]
fn order_drain(
    python: Python<'_>,
    socket: PathBuf,
    delay_seconds: f64,
    deadline_seconds: Option<f64>,
    outbound_until: &str,
) -> PyResult<u32> {
    let drain = Drain {
        delay: seconds(delay_seconds)?,
        timeout: deadline_seconds.map(seconds).transpose()?,
        outbound: until(outbound_until)?,
    };
    python
        .detach(|| agent::order_drain(&socket, drain))
        .map_err(|error| PyRuntimeError::new_err(error.to_string()))
}

fn until(word: &str) -> PyResult<OutboundUntil> {
    match word {
        "now" => Ok(OutboundUntil::Now),
        "signal" => Ok(OutboundUntil::Signal),
        "unused" => Ok(OutboundUntil::Unused),
        other => Err(PyValueError::new_err(format!(
            "expected now, signal or unused, found {other}"
        ))),
    }
}

#[pyfunction]
fn drain(deadline_seconds: f64) -> PyResult<()> {
    let deadline = seconds(deadline_seconds)?;
    if let Some(remote) = running().as_ref() {
        remote.drain(deadline);
    }
    Ok(())
}

#[pyfunction]
fn status() -> Option<Status> {
    let agent::Summary {
        is_ready,
        is_connected,
        is_unenforced,
        revision,
    } = running().as_ref()?.summary();
    Some(Status {
        is_ready,
        is_connected,
        is_unenforced,
        revision,
    })
}

fn running() -> MutexGuard<'static, Option<Remote>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
