//! Trace context.

use policy::Percent;
use policy::trace_context::{Sampling, TraceParent};
use pyo3::prelude::*;

use super::numbers::percent;

/// The trace, the caller's span, and whether it is sampled.
#[pyfunction]
fn parse_traceparent(value: &[u8]) -> Option<(u128, u64, bool)> {
    TraceParent::parse(value).map(|parent| (parent.trace, parent.span, parent.is_sampled))
}

#[pyfunction]
fn encode_traceparent(trace: u128, span: u64, is_sampled: bool) -> String {
    let parent = TraceParent {
        trace,
        span,
        is_sampled,
    };
    String::from_utf8_lossy(&parent.header()).into_owned()
}

#[pyfunction]
#[pyo3(signature = (trace, share))]
fn is_trace_sampled(trace: u128, #[pyo3(from_py_with = percent)] share: Percent) -> bool {
    Sampling::new(share).takes(trace)
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(parse_traceparent, module)?)?;
    module.add_function(wrap_pyfunction!(encode_traceparent, module)?)?;
    module.add_function(wrap_pyfunction!(is_trace_sampled, module)?)
}
