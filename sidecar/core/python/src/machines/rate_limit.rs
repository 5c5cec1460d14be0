//! Rate limits.

use policy::rate_limit::{self, Key, Limiter, Rate, Verdict, WhenKeysFull};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

use super::words::parse;

const WHEN_KEYS_FULL: &[(&str, WhenKeysFull)] = &[
    ("ShareOne", WhenKeysFull::ShareOne),
    ("Refuse", WhenKeysFull::Refuse),
    ("Allow", WhenKeysFull::Allow),
];

/// `LimitParams` of `sidecar/machines.py`.
#[derive(FromPyObject)]
struct Params {
    requests: u64,
    per_ns: u64,
    burst: Option<u64>,
    max_keys: u32,
    when_keys_full: String,
    count_refused: bool,
}

impl TryFrom<Params> for rate_limit::Params {
    type Error = PyErr;

    fn try_from(params: Params) -> PyResult<Self> {
        Ok(Self {
            rate: Rate::new(params.requests, params.per_ns, params.burst),
            max_keys: params.max_keys,
            when_keys_full: parse(&params.when_keys_full, WHEN_KEYS_FULL)?,
            count_refused: params.count_refused,
        })
    }
}

/// `Ask` of `sidecar/machines.py`.
#[derive(FromPyObject)]
struct Ask {
    limit: usize,
    key: Option<Key>,
    cost: u64,
}

/// A request that some limit refuses.
#[pyclass(frozen, get_all, module = "sidecar._core")]
struct Limited {
    limit: usize,
    retry_after_ns: Option<u64>,
}

/// What a limit has left.
#[pyclass(frozen, get_all, module = "sidecar._core")]
struct LimitView {
    capacity: u64,
    remaining: u64,
    next_token_ns: u64,
    refill_ns: u64,
}

/// The limits of one target.
#[pyclass(module = "sidecar._core")]
struct Limits(Vec<Limiter>);

impl Limits {
    fn limiter(&self, limit: usize) -> PyResult<&Limiter> {
        self.0.get(limit).ok_or_else(|| no_limit(limit))
    }

    fn limiter_mut(&mut self, limit: usize) -> PyResult<&mut Limiter> {
        self.0.get_mut(limit).ok_or_else(|| no_limit(limit))
    }
}

fn no_limit(limit: usize) -> PyErr {
    PyIndexError::new_err(format!("expected the position of a limit, found {limit}"))
}

#[pymethods]
impl Limits {
    #[new]
    fn new(params: Vec<Params>) -> PyResult<Self> {
        let limiters = params
            .into_iter()
            .map(|params| params.try_into().map(Limiter::new));
        Ok(Self(limiters.collect::<PyResult<_>>()?))
    }

    #[pyo3(signature = (asks, now_ns, *, exempt = false))]
    fn admit(&mut self, asks: Vec<Ask>, now_ns: u64, exempt: bool) -> PyResult<Option<Limited>> {
        for ask in &asks {
            self.limiter(ask.limit)?;
        }
        let mut asks: Vec<_> = asks
            .into_iter()
            .map(|ask| rate_limit::Ask::new(ask.limit, ask.key, ask.cost))
            .collect();
        Ok(
            match rate_limit::admit(&mut self.0, &mut asks, exempt, now_ns) {
                Verdict::Admitted => None,
                Verdict::Refused {
                    ask,
                    retry_after_ns,
                } => Some(Limited {
                    limit: asks[ask].limiter(),
                    retry_after_ns,
                }),
            },
        )
    }

    #[pyo3(signature = (limit, now_ns, key = None))]
    fn view(&self, limit: usize, now_ns: u64, key: Option<Key>) -> PyResult<LimitView> {
        let view = self.limiter(limit)?.view(key, now_ns);
        Ok(LimitView {
            capacity: view.capacity,
            remaining: view.remaining,
            next_token_ns: view.next_token_ns,
            refill_ns: view.refill_ns,
        })
    }

    fn keys(&self, limit: usize) -> PyResult<usize> {
        Ok(self.limiter(limit)?.keys())
    }

    fn forget_full(&mut self, limit: usize, now_ns: u64) -> PyResult<()> {
        self.limiter_mut(limit)?.forget_full(now_ns);
        Ok(())
    }

    fn reconfigure(&mut self, limit: usize, params: Params, now_ns: u64) -> PyResult<()> {
        let params = params.try_into()?;
        self.limiter_mut(limit)?.reconfigure(params, now_ns);
        Ok(())
    }
}

#[pyfunction]
fn retry_after_seconds(wait_ns: u64, draw: u64) -> u64 {
    rate_limit::retry_after_seconds(wait_ns, draw)
}

#[pyfunction]
fn pushback_ms(wait_ns: u64, draw: u64) -> u64 {
    rate_limit::pushback_ms(wait_ns, draw)
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Limits>()?;
    module.add_class::<Limited>()?;
    module.add_class::<LimitView>()?;
    module.add_function(wrap_pyfunction!(retry_after_seconds, module)?)?;
    module.add_function(wrap_pyfunction!(pushback_ms, module)?)
}
