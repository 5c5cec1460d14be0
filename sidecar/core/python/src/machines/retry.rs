//! Retries.

use policy::backoff::Multiplier;
use policy::method::Method;
use policy::retry::{self, Backoff, Decision, GiveUp, Progress, Pushback, Strategy};
use pyo3::prelude::*;

use super::budget::{Budget, Spent};
use super::ending::{EndingParams, conditions};
use super::numbers::multiplier;
use super::words::parse;

const STRATEGIES: &[(&str, Strategy)] = &[
    ("Immediate", Strategy::Immediate),
    ("Fixed", Strategy::Fixed),
    ("Exponential", Strategy::Exponential),
    ("ExponentialJitter", Strategy::ExponentialJitter),
    ("FullJitter", Strategy::FullJitter),
    ("Decorrelated", Strategy::Decorrelated),
];

/// `Backoff` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct BackoffParams {
    strategy: String,
    base_ns: u64,
    #[pyo3(from_py_with = multiplier)]
    multiplier: Multiplier,
    max_ns: u64,
    jitter_ns: u64,
}

impl TryFrom<BackoffParams> for Backoff {
    type Error = PyErr;

    fn try_from(params: BackoffParams) -> PyResult<Self> {
        Ok(Self {
            strategy: parse(&params.strategy, STRATEGIES)?,
            base_ns: params.base_ns,
            multiplier: params.multiplier,
            max_ns: params.max_ns,
            jitter_ns: params.jitter_ns,
        })
    }
}

/// `RetryParams` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct Params {
    attempts: u32,
    when: Vec<String>,
    methods: Vec<String>,
    backoff: BackoffParams,
    replay_bytes: u64,
    honor_retry_after: bool,
}

impl TryFrom<Params> for retry::Params {
    type Error = PyErr;

    fn try_from(params: Params) -> PyResult<Self> {
        Ok(Self {
            attempts: params.attempts,
            when: conditions(&params.when)?,
            methods: params
                .methods
                .iter()
                .map(|name| Method::from_bytes(name.as_bytes()))
                .collect(),
            backoff: params.backoff.try_into()?,
            replay_bytes: params.replay_bytes,
            honor_retry_after: params.honor_retry_after,
        })
    }
}

/// `Request` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct RequestParams {
    method: String,
    is_idempotent: bool,
    body_bytes: u64,
}

impl From<RequestParams> for retry::Request {
    fn from(request: RequestParams) -> Self {
        Self {
            method: Method::from_bytes(request.method.as_bytes()),
            is_idempotent: request.is_idempotent,
            body_bytes: request.body_bytes,
        }
    }
}

/// `Attempt` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct AttemptParams {
    ending: EndingParams,
    is_passed_on: bool,
    is_exhausted: bool,
    retry_after_ns: Option<u64>,
    pushback: Option<String>,
}

impl TryFrom<AttemptParams> for retry::Attempt {
    type Error = PyErr;

    fn try_from(attempt: AttemptParams) -> PyResult<Self> {
        Ok(Self {
            ending: attempt.ending.try_into()?,
            is_passed_on: attempt.is_passed_on,
            is_exhausted: attempt.is_exhausted,
            retry_after_ns: attempt.retry_after_ns,
            pushback: attempt
                .pushback
                .map(|field| Pushback::parse(field.as_bytes())),
        })
    }
}

/// `Progress` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct ProgressParams {
    retries: u32,
    previous_delay_ns: Option<u64>,
    left_ns: Option<u64>,
    p50_ns: Option<u64>,
    has_another_endpoint: bool,
    now_ns: u64,
}

impl From<ProgressParams> for Progress {
    fn from(progress: ProgressParams) -> Self {
        Self {
            retries: progress.retries,
            previous_delay_ns: progress.previous_delay_ns,
            left_ns: progress.left_ns,
            p50_ns: progress.p50_ns,
            has_another_endpoint: progress.has_another_endpoint,
            now_ns: progress.now_ns,
        }
    }
}

/// A further attempt.
#[pyclass(frozen, get_all, module = "sidecar._core")]
struct Again {
    delay_ns: u64,
    spent: Py<Spent>,
}

#[derive(IntoPyObject)]
enum Answer {
    Again(Again),
    Word(&'static str),
}

/// Whether attempts are tried again.
#[pyclass(frozen, module = "sidecar._core")]
struct Retry(retry::Params);

#[pymethods]
impl Retry {
    #[new]
    fn new(params: Params) -> PyResult<Self> {
        params.try_into().map(Self)
    }

    fn decide(
        &self,
        py: Python<'_>,
        request: RequestParams,
        attempt: AttemptParams,
        progress: ProgressParams,
        budget: &mut Budget,
        draw: u64,
    ) -> PyResult<Answer> {
        let attempt = attempt.try_into()?;
        Ok(
            match self.0.decide(
                &request.into(),
                &attempt,
                &progress.into(),
                &mut budget.0,
                draw,
            ) {
                Decision::Retry { delay_ns, spent } => Answer::Again(Again {
                    delay_ns,
                    spent: Py::new(py, Spent::new(spent))?,
                }),
                Decision::GiveUp(GiveUp::Tries) => Answer::Word("tries"),
                Decision::GiveUp(GiveUp::Deadline) => Answer::Word("deadline"),
                Decision::GiveUp(GiveUp::Budget) => Answer::Word("budget"),
                Decision::GiveUp(GiveUp::Upstream) => Answer::Word("upstream"),
                Decision::Deliver => Answer::Word("deliver"),
            },
        )
    }

    #[pyo3(signature = (n, draw, previous_ns = None))]
    fn delay_ns(&self, n: u32, draw: u64, previous_ns: Option<u64>) -> u64 {
        self.0.backoff.delay_ns(n, previous_ns, draw)
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Retry>()?;
    module.add_class::<Again>()
}
