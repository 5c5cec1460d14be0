//! Rate limits.

use policy::Moment;
use policy::rate_limit::{
    self, Algorithm, Arrival, Evict, Key, Leak, Limiter, Rate, Share, Standing, Verdict,
    WhenKeysFull,
};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

use super::words::parse;

const WHEN_KEYS_FULL: &[(&str, WhenKeysFull)] = &[
    ("ShareOne", WhenKeysFull::ShareOne),
    ("Refuse", WhenKeysFull::Refuse),
    ("Allow", WhenKeysFull::Allow),
];

const EVICT: &[(&str, Evict)] = &[("Newest", Evict::Newest), ("Oldest", Evict::Oldest)];

/// `LimitParams` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct Params {
    algorithm: AlgorithmParams,
    max_keys: u32,
    when_keys_full: String,
    count_refused: bool,
}

/// The algorithms of `sidecar/machines/`, told apart by their fields.
#[derive(FromPyObject)]
enum AlgorithmParams {
    TokenBucket {
        rate: RateParams,
        burst: Option<u64>,
    },
    LeakyBucket {
        rate: RateParams,
        queue: u32,
        max_wait_ns: u64,
        evict: String,
    },
    FixedWindow {
        rate: RateParams,
        aligned: bool,
    },
    SlidingWindow {
        rate: RateParams,
        buckets: u32,
    },
    SlidingLog {
        rate: RateParams,
    },
    Concurrency {
        limit: u64,
        members: u32,
    },
}

/// `Rate` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct RateParams {
    requests: u64,
    per_ns: u64,
    members: u32,
}

impl From<RateParams> for Rate {
    fn from(rate: RateParams) -> Self {
        Self::new(rate.requests, rate.per_ns).divided(rate.members)
    }
}

impl TryFrom<AlgorithmParams> for Algorithm {
    type Error = PyErr;

    fn try_from(params: AlgorithmParams) -> PyResult<Self> {
        use AlgorithmParams as From;
        Ok(match params {
            From::TokenBucket { rate, burst } => Self::TokenBucket {
                rate: rate.into(),
                burst,
            },
            From::LeakyBucket {
                rate,
                queue,
                max_wait_ns,
                evict,
            } => Self::LeakyBucket(Leak {
                rate: rate.into(),
                queue,
                max_wait_ns,
                evict: parse(&evict, EVICT)?,
            }),
            From::FixedWindow { rate, aligned } => Self::FixedWindow {
                rate: rate.into(),
                aligned,
            },
            From::SlidingWindow { rate, buckets } => Self::SlidingWindow {
                rate: rate.into(),
                buckets,
            },
            From::SlidingLog { rate } => Self::SlidingLog { rate: rate.into() },
            From::Concurrency { limit, members } => Self::Concurrency(Share::new(limit, members)),
        })
    }
}

impl TryFrom<Params> for rate_limit::Params {
    type Error = PyErr;

    fn try_from(params: Params) -> PyResult<Self> {
        Ok(Self {
            algorithm: params.algorithm.try_into()?,
            max_keys: params.max_keys,
            when_keys_full: parse(&params.when_keys_full, WHEN_KEYS_FULL)?,
            count_refused: params.count_refused,
        })
    }
}

/// `Ask` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct Ask {
    limit: usize,
    key: Option<Key>,
    cost: Option<u64>,
}

impl From<Ask> for rate_limit::Ask {
    fn from(ask: Ask) -> Self {
        match ask.cost {
            Some(cost) => Self::new(ask.limit, ask.key, cost),
            None => Self::later(ask.limit, ask.key),
        }
    }
}

/// A request that all limits admit, and what it was charged.
#[pyclass(module = "sidecar._core")]
struct Admitted {
    #[pyo3(get)]
    wait_ns: u64,
    asks: Vec<rate_limit::Ask>,
}

/// A request that some limit refuses.
#[pyclass(frozen, get_all, module = "sidecar._core")]
struct Limited {
    limit: usize,
    reason: &'static str,
    retry_after_ns: Option<u64>,
}

#[derive(IntoPyObject)]
enum Decision {
    Admitted(Admitted),
    Limited(Limited),
}

#[derive(IntoPyObject)]
enum Stand {
    Word(&'static str),
    Until(u64),
}

/// What a limit has left.
#[pyclass(frozen, get_all, module = "sidecar._core")]
struct LimitView {
    capacity: u64,
    remaining: u64,
    more_after_ns: Option<u64>,
    full_after_ns: Option<u64>,
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

    fn each(
        &mut self,
        admitted: &mut Admitted,
        mut act: impl FnMut(&mut Limiter, &mut rate_limit::Ask),
    ) {
        for ask in &mut admitted.asks {
            act(&mut self.0[ask.limiter()], ask);
        }
    }
}

fn no_limit(limit: usize) -> PyErr {
    PyIndexError::new_err(format!("expected the position of a limit, found {limit}"))
}

fn moment(now_ns: u64, unix_ns: Option<u64>) -> Moment {
    Moment {
        now_ns,
        unix_ns: unix_ns.unwrap_or(now_ns),
    }
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

    #[pyo3(signature = (asks, now_ns, unix_ns = None, *, left_ns = None, exempt = false))]
    fn admit(
        &mut self,
        asks: Vec<Ask>,
        now_ns: u64,
        unix_ns: Option<u64>,
        left_ns: Option<u64>,
        exempt: bool,
    ) -> PyResult<Decision> {
        for ask in &asks {
            self.limiter(ask.limit)?;
        }
        let arrival = Arrival {
            at: moment(now_ns, unix_ns),
            left_ns,
            is_exempt: exempt,
        };
        let mut asks: Vec<_> = asks.into_iter().map(rate_limit::Ask::from).collect();
        let decision = match rate_limit::admit(&mut self.0, &mut asks, &arrival) {
            Verdict::Admitted { wait_ns } => Decision::Admitted(Admitted { wait_ns, asks }),
            Verdict::Refused {
                ask,
                retry_after_ns,
            } => {
                let limit = asks[ask].limiter();
                Decision::Limited(Limited {
                    limit,
                    reason: self.0[limit].params().algorithm.reason().as_str(),
                    retry_after_ns,
                })
            }
        };
        Ok(decision)
    }

    #[pyo3(signature = (admitted, cost, now_ns, unix_ns = None))]
    fn charge_after(
        &mut self,
        admitted: &mut Admitted,
        cost: u64,
        now_ns: u64,
        unix_ns: Option<u64>,
    ) {
        let at = moment(now_ns, unix_ns);
        self.each(admitted, |limiter, ask| limiter.charge_after(ask, cost, at));
    }

    #[pyo3(signature = (admitted, now_ns, unix_ns = None))]
    fn refund(&mut self, admitted: &mut Admitted, now_ns: u64, unix_ns: Option<u64>) {
        let at = moment(now_ns, unix_ns);
        self.each(admitted, |limiter, ask| limiter.refund(ask, at));
    }

    #[pyo3(signature = (admitted, now_ns, unix_ns = None))]
    fn release(&mut self, admitted: &mut Admitted, now_ns: u64, unix_ns: Option<u64>) {
        let at = moment(now_ns, unix_ns);
        self.each(admitted, |limiter, ask| limiter.release(ask, at));
    }

    #[pyo3(signature = (admitted, now_ns, unix_ns = None))]
    fn standing(
        &mut self,
        admitted: &mut Admitted,
        now_ns: u64,
        unix_ns: Option<u64>,
    ) -> Vec<Stand> {
        let at = moment(now_ns, unix_ns);
        let mut standings = Vec::new();
        self.each(admitted, |limiter, ask| {
            standings.push(match limiter.standing(ask, at) {
                Standing::Free => Stand::Word("free"),
                Standing::Waits { until_ns } => Stand::Until(until_ns),
                Standing::Evicted => Stand::Word("evicted"),
            });
        });
        standings
    }

    #[pyo3(signature = (limit, now_ns, unix_ns = None, *, key = None))]
    fn view(
        &self,
        limit: usize,
        now_ns: u64,
        unix_ns: Option<u64>,
        key: Option<Key>,
    ) -> PyResult<LimitView> {
        let view = self.limiter(limit)?.view(key, moment(now_ns, unix_ns));
        Ok(LimitView {
            capacity: view.capacity,
            remaining: view.remaining,
            more_after_ns: view.more_after_ns,
            full_after_ns: view.full_after_ns,
        })
    }

    fn keys(&self, limit: usize) -> PyResult<usize> {
        Ok(self.limiter(limit)?.keys())
    }

    fn take_stir(&mut self, limit: usize) -> PyResult<bool> {
        Ok(self.limiter_mut(limit)?.take_stir())
    }

    #[pyo3(signature = (limit, now_ns, unix_ns = None))]
    fn forget_fresh(&mut self, limit: usize, now_ns: u64, unix_ns: Option<u64>) -> PyResult<()> {
        self.limiter_mut(limit)?
            .forget_fresh(moment(now_ns, unix_ns));
        Ok(())
    }

    #[pyo3(signature = (limit, params, now_ns, unix_ns = None))]
    fn reconfigure(
        &mut self,
        limit: usize,
        params: Params,
        now_ns: u64,
        unix_ns: Option<u64>,
    ) -> PyResult<()> {
        let params = params.try_into()?;
        self.limiter_mut(limit)?
            .reconfigure(params, moment(now_ns, unix_ns));
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
    module.add_class::<Admitted>()?;
    module.add_class::<Limited>()?;
    module.add_class::<LimitView>()?;
    module.add_function(wrap_pyfunction!(retry_after_seconds, module)?)?;
    module.add_function(wrap_pyfunction!(pushback_ms, module)?)
}
