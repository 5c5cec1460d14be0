//! The pure machines as Python classes: handles that convert arguments and answers, nothing more.
//!
//! Parameters are read by attribute from the dataclasses of `sidecar/machines/`; closed sets are words.

mod adaptive;
mod admission;
mod backpressure;
mod bandwidth;
mod breaker;
mod budget;
mod bulkhead;
mod deadline;
mod ending;
mod fault;
mod health_check;
mod hedge;
mod instance_groups;
mod latency;
mod numbers;
mod outlier;
mod rate_limit;
mod readiness;
mod reason;
mod reconnect;
mod retry;
mod route;
mod trace_context;
mod words;

use pyo3::prelude::*;

/// Adds every machine to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    adaptive::register(module)?;
    admission::register(module)?;
    backpressure::register(module)?;
    bandwidth::register(module)?;
    breaker::register(module)?;
    budget::register(module)?;
    bulkhead::register(module)?;
    deadline::register(module)?;
    ending::register(module)?;
    fault::register(module)?;
    health_check::register(module)?;
    hedge::register(module)?;
    instance_groups::register(module)?;
    latency::register(module)?;
    outlier::register(module)?;
    rate_limit::register(module)?;
    readiness::register(module)?;
    reason::register(module)?;
    reconnect::register(module)?;
    retry::register(module)?;
    route::register(module)?;
    trace_context::register(module)
}
