//! A set of endpoints: their breakers, their load, and which may be picked.

use policy::Percent;
use policy::balancer::{self, Algorithm, Balancer, Load};
use policy::breaker;
use policy::readiness::{self, Ask, Member, PanicChange, Readiness, Verdict};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

use super::breaker::{Params as BreakerParams, Permit};
use super::numbers::percent;
use super::words::{OUTCOMES, parse};

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("PeakEwma", Algorithm::PeakEwma),
    ("LeastRequest", Algorithm::LeastRequest),
    ("RoundRobin", Algorithm::RoundRobin),
    ("Random", Algorithm::Random),
    ("RingHash", Algorithm::RingHash),
    ("Maglev", Algorithm::Maglev),
];

/// `EjectionParams` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct Params {
    #[pyo3(from_py_with = percent)]
    max_ejected: Percent,
    #[pyo3(from_py_with = percent)]
    panic_threshold: Percent,
}

struct Endpoint {
    breaker: Option<breaker::Breaker>,
    load: Load,
    weight: u32,
}

impl Member for Endpoint {
    fn breaker(&self) -> Option<&breaker::Breaker> {
        self.breaker.as_ref()
    }

    fn breaker_mut(&mut self) -> Option<&mut breaker::Breaker> {
        self.breaker.as_mut()
    }

    fn load(&self) -> &Load {
        &self.load
    }

    fn weight(&self) -> u32 {
        self.weight
    }
}

/// An endpoint picked.
#[pyclass(module = "sidecar._core")]
struct Picked {
    endpoint: u32,
    permit: Permit,
}

#[pymethods]
impl Picked {
    #[getter]
    fn endpoint(&self) -> u32 {
        self.endpoint
    }
}

#[derive(IntoPyObject)]
enum Choice {
    Picked(Picked),
    Refused(&'static str),
}

/// The endpoints of one cluster.
#[pyclass(module = "sidecar._core")]
struct Endpoints {
    members: Vec<Endpoint>,
    readiness: Readiness,
    balancer: Balancer,
}

impl Endpoints {
    fn member(&self, endpoint: u32) -> PyResult<&Endpoint> {
        let found = || {
            PyIndexError::new_err(format!(
                "expected the position of an endpoint, found {endpoint}"
            ))
        };
        self.members.get(endpoint as usize).ok_or_else(found)
    }

    fn end(
        &mut self,
        picked: &mut Picked,
        outcome: policy::Outcome,
        latency_ns: u64,
        now_ns: u64,
        draw: u64,
    ) -> PyResult<()> {
        let permit = picked.permit.give_back()?;
        let member = &mut self.members[picked.endpoint as usize];
        match outcome {
            policy::Outcome::Success => member.load.end(latency_ns, now_ns),
            policy::Outcome::Failure => {
                member.load.end(
                    latency_ns.saturating_add(balancer::penalty_ns(None)),
                    now_ns,
                );
            }
            policy::Outcome::Uncounted => member.load.cancel(),
        }
        if let Some(breaker) = &mut member.breaker {
            breaker.on_result(permit, outcome, latency_ns, now_ns, draw);
        }
        self.readiness.invalidate();
        Ok(())
    }
}

#[pymethods]
impl Endpoints {
    #[new]
    #[pyo3(signature = (breakers, params, now_ns, algorithm = "PeakEwma", weights = None))]
    fn new(
        breakers: Vec<Option<BreakerParams>>,
        params: Params,
        now_ns: u64,
        algorithm: &str,
        weights: Option<Vec<u32>>,
    ) -> PyResult<Self> {
        let weights = weights.unwrap_or_else(|| vec![1; breakers.len()]);
        let member = |(params, weight): (Option<BreakerParams>, &u32)| Endpoint {
            breaker: params.map(|params| breaker::Breaker::new(params.into())),
            load: Load::new(now_ns),
            weight: *weight,
        };
        let params = readiness::Params {
            max_ejected: params.max_ejected,
            panic_threshold: params.panic_threshold,
        };
        let names: Vec<_> = (0..breakers.len())
            .map(|at| format!("endpoint-{at}"))
            .collect();
        let named = names
            .iter()
            .map(String::as_str)
            .zip(weights.iter().copied());
        Ok(Self {
            members: breakers.into_iter().zip(&weights).map(member).collect(),
            readiness: Readiness::new(params),
            balancer: Balancer::new(parse(algorithm, ALGORITHMS)?, named),
        })
    }

    fn refresh(&mut self, now_ns: u64) -> Option<&'static str> {
        self.readiness
            .refresh(&self.members, now_ns)
            .map(|change| match change {
                PanicChange::Began => "began",
                PanicChange::Ended => "ended",
            })
    }

    #[pyo3(signature = (now_ns, draw, avoid = None, key = None))]
    fn pick(&mut self, now_ns: u64, draw: u64, avoid: Option<u32>, key: Option<u64>) -> Choice {
        let ask = Ask {
            avoid,
            key,
            now_ns,
            draw,
            ..Ask::default()
        };
        let picked = self
            .readiness
            .pick(&mut self.members, &mut self.balancer, &ask);
        match picked {
            Ok(readiness::Picked { endpoint, permit }) => {
                self.members[endpoint as usize].load.begin();
                self.readiness.invalidate();
                Choice::Picked(Picked {
                    endpoint,
                    permit: Permit::new(permit),
                })
            }
            Err(reason) => Choice::Refused(reason.as_str()),
        }
    }

    fn on_result(
        &mut self,
        picked: &mut Picked,
        outcome: &str,
        latency_ns: u64,
        now_ns: u64,
        draw: u64,
    ) -> PyResult<()> {
        self.end(picked, parse(outcome, OUTCOMES)?, latency_ns, now_ns, draw)
    }

    fn verdict(&self, endpoint: u32) -> PyResult<&'static str> {
        self.member(endpoint)?;
        Ok(match self.readiness.verdict(endpoint) {
            Verdict::Ready => "ready",
            Verdict::Kept => "kept",
            Verdict::Ejected => "ejected",
        })
    }

    fn state(&self, endpoint: u32) -> PyResult<Option<&'static str>> {
        Ok(self
            .member(endpoint)?
            .breaker
            .as_ref()
            .map(|breaker| breaker.state().as_str()))
    }

    fn cost(&self, endpoint: u32, now_ns: u64) -> PyResult<f64> {
        let member = self.member(endpoint)?;
        Ok(member.load.cost(now_ns, member.weight))
    }

    #[getter]
    fn is_panicking(&self) -> bool {
        self.readiness.is_panicking()
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Endpoints>()?;
    module.add_class::<Picked>()
}
