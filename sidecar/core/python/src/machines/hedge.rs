//! Hedging: when a second attempt is due, and whether it is paid for.

use policy::Percent;
use policy::breaker::State;
use policy::hedge::{self, After};
use policy::method::Method;
use pyo3::prelude::*;

use super::budget::{Budget, Spent};
use super::latency::RecentLatency;
use super::numbers::percent;
use super::words::parse;

const STATES: [State; 6] = [
    State::Closed,
    State::Open,
    State::HalfOpen,
    State::ForcedOpen,
    State::ForcedClosed,
    State::Disabled,
];

#[pyfunction]
fn hedge_delay_ns(
    #[pyo3(from_py_with = percent)] share: Percent,
    recent: &mut RecentLatency,
    now_ns: u64,
) -> Option<u64> {
    After::Share(share).delay_ns(&mut recent.0, now_ns)
}

#[pyfunction]
fn is_hedgeable(method: &str, has_whole_body: bool) -> bool {
    hedge::is_hedgeable(Method::from_bytes(method.as_bytes()), has_whole_body)
}

#[pyfunction]
fn pay_hedge(breakers: Vec<String>, budget: &mut Budget, now_ns: u64) -> PyResult<Option<Spent>> {
    let words = STATES.map(|state| (state.as_str(), state));
    let breakers = breakers.iter().map(|word| parse(word, &words));
    let breakers: Vec<State> = breakers.collect::<PyResult<_>>()?;
    Ok(hedge::pay(breakers, &mut budget.0, now_ns).map(Spent::new))
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(hedge_delay_ns, module)?)?;
    module.add_function(wrap_pyfunction!(is_hedgeable, module)?)?;
    module.add_function(wrap_pyfunction!(pay_hedge, module)?)
}
