//! The control plane's front for Python: events and orders, converted.

use std::path::PathBuf;

use ::fanout::{Lifetimes, Running, Settings, What};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::seconds::seconds;

const OPENED: u8 = 0;
const RECEIVED: u8 = 1;
const CLOSED: u8 = 2;

/// Adds the front to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("OPENED", OPENED)?;
    module.add("RECEIVED", RECEIVED)?;
    module.add("CLOSED", CLOSED)?;
    module.add_class::<Fanout>()
}

/// A front that runs.
#[pyclass(frozen, module = "sidecar._core")]
struct Fanout(Running);

/// A stream, what happened there, and the bytes that came with it.
type Event<'py> = (u64, u8, Bound<'py, PyBytes>);

#[pymethods]
impl Fanout {
    #[new]
    #[pyo3(signature = (address, path, backend, lifetimes, connections, shown))]
    fn new(
        address: String,
        path: String,
        backend: PathBuf,
        lifetimes: (f64, f64, f64),
        connections: u32,
        shown: Option<(Vec<u8>, Vec<u8>)>,
    ) -> PyResult<Self> {
        let (age, age_grace, standstill) = lifetimes;
        let lifetimes = Lifetimes {
            age: seconds(age)?,
            age_grace: seconds(age_grace)?,
            standstill: seconds(standstill)?,
        };
        let settings = Settings {
            address,
            path,
            backend,
            lifetimes,
            connections,
        };
        let shown = shown.as_ref().map(|(chain, key)| (&chain[..], &key[..]));
        ::fanout::start(settings, shown).map(Self).map_err(problem)
    }

    #[getter]
    fn port(&self) -> u16 {
        self.0.address().port()
    }

    #[getter]
    fn has_ended(&self) -> bool {
        self.0.has_ended()
    }

    fn beat(&self) {
        self.0.beat();
    }

    fn fileno(&self) -> i32 {
        self.0.descriptor()
    }

    fn take<'py>(&self, python: Python<'py>) -> Vec<Event<'py>> {
        let convert = |event: ::fanout::Event| {
            let (what, bytes) = match event.what {
                What::Opened(authorization) => (OPENED, authorization),
                What::Received(message) => (RECEIVED, message),
                What::Closed => (CLOSED, Default::default()),
            };
            (event.stream, what, PyBytes::new(python, &bytes))
        };
        self.0.take().into_iter().map(convert).collect()
    }

    fn accept(&self, stream: u64) {
        self.0.accept(stream);
    }

    fn send(&self, streams: Vec<u64>, message: &[u8]) {
        self.0.send(streams, message);
    }

    fn end(&self, stream: u64, code: u8, reason: &str) {
        self.0.end(stream, code, reason);
    }

    fn show(&self, certificate: &[u8], key: &[u8]) -> PyResult<()> {
        self.0.show(certificate, key).map_err(problem)
    }

    fn stop(&self, python: Python<'_>, grace_seconds: f64) -> PyResult<()> {
        let grace = seconds(grace_seconds)?;
        python.detach(|| self.0.stop(grace));
        Ok(())
    }
}

fn problem(error: ::fanout::Error) -> PyErr {
    match error.is_about_certificate() {
        true => PyValueError::new_err(error.to_string()),
        false => PyOSError::new_err(error.to_string()),
    }
}
