//! The circuit breaker.

use policy::Percent;
use policy::backoff::Multiplier;
use policy::breaker::{
    self, Cause, Forced, HalfOpen, OpenTime, State, TRANSITIONS, Transition as Way, Trial, Trip,
    Window,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::numbers::{multiplier, optional_percent, percent};
use super::words::{OUTCOMES, parse};

const FORCED: &[(&str, Forced)] = &[
    ("open", Forced::Open),
    ("closed", Forced::Closed),
    ("disabled", Forced::Disabled),
];

/// `BreakerParams` of `sidecar/machines/`.
#[derive(FromPyObject)]
pub(super) struct Params {
    window: WindowParams,
    minimum_requests: u32,
    #[pyo3(from_py_with = optional_percent)]
    error_rate: Option<Percent>,
    #[pyo3(from_py_with = optional_percent)]
    slow_rate: Option<Percent>,
    slow_after_ns: Option<u64>,
    consecutive_failures: Option<u32>,
    reset_timeout_ns: u64,
    open_base_ns: u64,
    #[pyo3(from_py_with = multiplier)]
    open_multiplier: Multiplier,
    open_max_ns: u64,
    #[pyo3(from_py_with = percent)]
    open_jitter: Percent,
    trial: TrialParams,
    max_wait_ns: u64,
    overload_open_ns: Option<u64>,
}

#[derive(FromPyObject)]
enum WindowParams {
    Count { size: u32 },
    Time { duration_ns: u64 },
}

#[derive(FromPyObject)]
enum TrialParams {
    Successes { successes: u32 },
    Probes { probes: u32 },
}

impl From<Params> for breaker::Params {
    fn from(params: Params) -> Self {
        Self {
            window: match params.window {
                WindowParams::Count { size } => Window::Count { size },
                WindowParams::Time { duration_ns } => Window::Time { duration_ns },
            },
            minimum_requests: params.minimum_requests,
            trip: Trip {
                error_rate: params.error_rate,
                slow_rate: params.slow_rate,
                slow_after_ns: params.slow_after_ns,
                consecutive_failures: params.consecutive_failures,
            },
            reset_timeout_ns: params.reset_timeout_ns,
            open: OpenTime {
                base_ns: params.open_base_ns,
                multiplier: params.open_multiplier,
                max_ns: params.open_max_ns,
                jitter: params.open_jitter,
            },
            half_open: HalfOpen {
                trial: match params.trial {
                    TrialParams::Successes { successes } => Trial::Successes(successes),
                    TrialParams::Probes { probes } => Trial::Probes(probes),
                },
                max_wait_ns: params.max_wait_ns,
            },
            overload_open_ns: params.overload_open_ns,
        }
    }
}

/// An admitted call.
#[pyclass(module = "sidecar._core")]
pub(super) struct Permit(Option<breaker::Permit>);

impl Permit {
    pub(super) const fn new(permit: breaker::Permit) -> Self {
        Self(Some(permit))
    }

    /// The permit to give back, which can be done once.
    pub(super) fn give_back(&mut self) -> PyResult<breaker::Permit> {
        self.0.take().ok_or_else(given_back)
    }
}

fn given_back() -> PyErr {
    PyValueError::new_err("expected a permit that is out, found one that was given back")
}

/// A call that was not admitted.
#[pyclass(frozen, get_all, module = "sidecar._core")]
pub(super) struct Refusal {
    reason: &'static str,
    retry_after_ns: Option<u64>,
}

impl From<breaker::Refusal> for Refusal {
    fn from(refusal: breaker::Refusal) -> Self {
        let retry_after_ns = match refusal {
            breaker::Refusal::Open { retry_after_ns } => Some(retry_after_ns),
            breaker::Refusal::HalfOpenFull | breaker::Refusal::Forced => None,
        };
        Self {
            reason: refusal.reason().as_str(),
            retry_after_ns,
        }
    }
}

#[derive(IntoPyObject)]
enum Admission {
    Admitted(Permit),
    Refused(Refusal),
}

/// What had been counted.
#[pyclass(frozen, get_all, eq, skip_from_py_object, module = "sidecar._core")]
#[derive(Clone, Copy, PartialEq, Eq)]
struct Counts {
    calls: u32,
    failures: u32,
    slow: u32,
    consecutive_failures: u32,
}

impl From<breaker::Counts> for Counts {
    fn from(counts: breaker::Counts) -> Self {
        Self {
            calls: counts.calls,
            failures: counts.failures,
            slow: counts.slow,
            consecutive_failures: counts.consecutive_failures,
        }
    }
}

/// A way taken from one state to another.
#[pyclass(frozen, module = "sidecar._core")]
struct Transition(Way);

#[pymethods]
impl Transition {
    #[getter]
    fn source(&self) -> &'static str {
        self.0.from.as_str()
    }

    #[getter]
    fn target(&self) -> &'static str {
        self.0.to.as_str()
    }

    #[getter]
    fn cause(&self) -> &'static str {
        self.0.cause.as_str()
    }

    #[getter]
    fn counts(&self) -> Counts {
        self.0.counts.into()
    }

    #[getter]
    fn at_ns(&self) -> u64 {
        self.0.at_ns
    }
}

/// One breaker.
#[pyclass(module = "sidecar._core")]
pub(super) struct Breaker(breaker::Breaker);

#[pymethods]
impl Breaker {
    #[new]
    fn new(params: Params) -> Self {
        Self(breaker::Breaker::new(params.into()))
    }

    fn admit(&mut self, now_ns: u64, draw: u64) -> Admission {
        match self.0.admit(now_ns, draw) {
            Ok(permit) => Admission::Admitted(Permit::new(permit)),
            Err(refusal) => Admission::Refused(refusal.into()),
        }
    }

    fn on_headers(&mut self, permit: &Permit, now_ns: u64, draw: u64) -> PyResult<()> {
        let permit = permit.0.as_ref().ok_or_else(given_back)?;
        self.0.on_headers(permit, now_ns, draw);
        Ok(())
    }

    fn on_result(
        &mut self,
        permit: &mut Permit,
        outcome: &str,
        latency_ns: u64,
        now_ns: u64,
        draw: u64,
    ) -> PyResult<()> {
        let outcome = parse(outcome, OUTCOMES)?;
        self.0
            .on_result(permit.give_back()?, outcome, latency_ns, now_ns, draw);
        Ok(())
    }

    fn on_overload(&mut self, permit: &mut Permit, now_ns: u64, draw: u64) -> PyResult<()> {
        self.0.on_overload(permit.give_back()?, now_ns, draw);
        Ok(())
    }

    fn release(&mut self, permit: &mut Permit) -> PyResult<()> {
        self.0.release(permit.give_back()?);
        Ok(())
    }

    fn check(&mut self, now_ns: u64, draw: u64) {
        self.0.check(now_ns, draw);
    }

    fn force(&mut self, how: &str, until_ns: u64, now_ns: u64) -> PyResult<()> {
        self.0.force(parse(how, FORCED)?, until_ns, now_ns);
        Ok(())
    }

    fn lift(&mut self, now_ns: u64) {
        self.0.lift(now_ns);
    }

    fn reconfigure(&mut self, params: Params) {
        self.0.reconfigure(params.into());
    }

    fn take_transitions(&mut self) -> Vec<Transition> {
        std::iter::from_fn(|| self.0.next_transition())
            .map(Transition)
            .collect()
    }

    fn counts(&mut self, now_ns: u64) -> Counts {
        self.0.counts(now_ns).into()
    }

    #[getter]
    fn state(&self) -> &'static str {
        self.0.state().as_str()
    }

    #[getter]
    fn until_ns(&self) -> Option<u64> {
        self.0.until_ns()
    }

    #[getter]
    fn has_place(&self) -> bool {
        self.0.has_place()
    }

    #[getter]
    fn probes_in_flight(&self) -> u32 {
        self.0.probes_in_flight()
    }
}

/// The table of transitions as tuples of words.
fn transitions<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
    let row = |&(from, to, causes): &(State, State, &[Cause])| {
        let causes = PyTuple::new(py, causes.iter().map(|cause| cause.as_str()))?;
        (from.as_str(), to.as_str(), causes).into_pyobject(py)
    };
    PyTuple::new(
        py,
        TRANSITIONS.iter().map(row).collect::<PyResult<Vec<_>>>()?,
    )
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Breaker>()?;
    module.add_class::<Permit>()?;
    module.add_class::<Refusal>()?;
    module.add_class::<Counts>()?;
    module.add_class::<Transition>()?;
    module.add("BREAKER_TRANSITIONS", transitions(module.py())?)
}
