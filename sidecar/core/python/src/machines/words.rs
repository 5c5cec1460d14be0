//! Closed sets, which are words in Python.

use policy::Criticality;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// What a word stands for.
pub(super) fn parse<T: Copy>(word: &str, table: &[(&str, T)]) -> PyResult<T> {
    table
        .iter()
        .find(|(known, _)| *known == word)
        .map(|&(_, value)| value)
        .ok_or_else(|| {
            let known: Vec<_> = table.iter().map(|&(known, _)| known).collect();
            PyValueError::new_err(format!(
                "expected one of {}, found {word:?}",
                known.join(", ")
            ))
        })
}

/// A class of requests.
pub(super) fn criticality(word: &str) -> PyResult<Criticality> {
    parse(word, &Criticality::ALL.map(|class| (class.as_str(), class)))
}

/// Python's words for outcomes.
pub(super) const OUTCOMES: &[(&str, policy::Outcome)] = &[
    ("success", policy::Outcome::Success),
    ("failure", policy::Outcome::Failure),
    ("uncounted", policy::Outcome::Uncounted),
];
