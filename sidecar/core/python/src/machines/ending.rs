//! How attempts end, and what that means.

use policy::condition::Conditions;
use policy::ending::{self, Ending};
use policy::grpc::Code;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::words::{OUTCOMES, parse};

/// `Response`, or one of the words of `sidecar/machines/`.
#[derive(FromPyObject)]
pub(super) enum EndingParams {
    Response { status: u16, code: Option<u8> },
    Word(String),
}

const ENDINGS: &[(&str, Ending)] = &[
    ("connect_failure", Ending::ConnectFailure),
    ("connect_timeout", Ending::ConnectTimeout),
    ("refused_stream", Ending::RefusedStream),
    ("go_away", Ending::GoAway),
    ("reset", Ending::Reset),
    ("per_try_timeout", Ending::PerTryTimeout),
    ("request_timeout", Ending::RequestTimeout),
    ("caller_deadline", Ending::CallerDeadline),
    ("truncated", Ending::Truncated),
    ("peer_refusal", Ending::PeerRefusal { elsewhere: false }),
    (
        "peer_refusal_elsewhere",
        Ending::PeerRefusal { elsewhere: true },
    ),
    ("local_refusal", Ending::LocalRefusal),
    ("client_left", Ending::ClientLeft),
];

impl TryFrom<EndingParams> for Ending {
    type Error = PyErr;

    fn try_from(ending: EndingParams) -> PyResult<Self> {
        match ending {
            EndingParams::Response { status, code } => Ok(Self::Response {
                status,
                code: code.map(grpc_code).transpose()?,
            }),
            EndingParams::Word(word) => parse(&word, ENDINGS),
        }
    }
}

fn grpc_code(number: u8) -> PyResult<Code> {
    Code::from_number(number)
        .ok_or_else(|| PyValueError::new_err(format!("expected a gRPC code, found {number}")))
}

/// The set of these conditions.
pub(super) fn conditions(words: &[String]) -> PyResult<Conditions> {
    Conditions::parse(words.iter().map(String::as_str))
        .map_err(|problem| PyValueError::new_err(problem.to_string()))
}

#[pyfunction]
#[pyo3(signature = (ending, failure_on = None))]
fn outcome(ending: EndingParams, failure_on: Option<Vec<String>>) -> PyResult<&'static str> {
    let failures = failure_on.map_or_else(
        || Ok(ending::default_failures()),
        |words| conditions(&words),
    )?;
    let outcome = Ending::try_from(ending)?.outcome(&failures);
    Ok(OUTCOMES
        .iter()
        .find(|row| row.1 == outcome)
        .map_or("uncounted", |row| row.0))
}

#[pyfunction]
fn may_succeed_elsewhere(reason: &str) -> bool {
    ending::may_succeed_elsewhere(reason)
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(outcome, module)?)?;
    module.add_function(wrap_pyfunction!(may_succeed_elsewhere, module)?)
}
