//! Active health checks: the probes of one endpoint, who makes them, and what several probers say together.

use policy::health_check::{self, Params, Verdict, Votes};
use pyo3::prelude::*;

use super::words::parse;

/// `HealthCheckParams` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct Settings {
    interval_ns: u64,
    unhealthy_after: u32,
    healthy_after: u32,
}

impl From<Settings> for Params {
    fn from(settings: Settings) -> Self {
        Self {
            interval_ns: settings.interval_ns,
            unhealthy_after: settings.unhealthy_after,
            healthy_after: settings.healthy_after,
        }
    }
}

/// The probes of one endpoint.
#[pyclass(module = "sidecar._core")]
struct HealthProbes {
    machine: health_check::Probes,
    params: Params,
}

#[pymethods]
impl HealthProbes {
    #[new]
    fn new(params: Settings, now_ns: u64, draw: u64) -> Self {
        let params = params.into();
        Self {
            machine: health_check::Probes::new(&params, now_ns, draw),
            params,
        }
    }

    fn on_result(&mut self, has_passed: bool, now_ns: u64, draw: u64) -> Option<&'static str> {
        let verdict = self
            .machine
            .on_result(&self.params, has_passed, now_ns, draw);
        verdict.map(Verdict::as_str)
    }

    fn stand_back(&mut self, healthy: u32, unhealthy: u32, now_ns: u64, draw: u64) {
        let others = Votes { healthy, unhealthy };
        self.machine.stand_back(&self.params, others, now_ns, draw);
    }

    #[getter]
    fn verdict(&self) -> &'static str {
        self.machine.verdict().as_str()
    }

    #[getter]
    fn due_ns(&self) -> u64 {
        self.machine.due_ns()
    }
}

#[pyfunction]
fn checker(instance: &str) -> u64 {
    health_check::checker(instance)
}

#[pyfunction]
fn is_prober(own: u64, checkers: Vec<u64>, endpoint: &str, probers: u32) -> bool {
    health_check::is_prober(own, &checkers, endpoint, probers)
}

#[pyfunction]
fn probers_verdict(own: &str, healthy: u32, unhealthy: u32) -> PyResult<&'static str> {
    let verdicts = [Verdict::Unknown, Verdict::Healthy, Verdict::Unhealthy];
    let own = parse(own, &verdicts.map(|verdict| (verdict.as_str(), verdict)))?;
    Ok(health_check::together(own, Votes { healthy, unhealthy }).as_str())
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<HealthProbes>()?;
    module.add_function(wrap_pyfunction!(checker, module)?)?;
    module.add_function(wrap_pyfunction!(is_prober, module)?)?;
    module.add_function(wrap_pyfunction!(probers_verdict, module)?)
}
