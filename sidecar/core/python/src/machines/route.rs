//! Routes and splits.

use std::borrow::Cow;
use std::collections::HashMap;

use policy::route::{Field, Matcher, Path, Request, Rule, Table, Text};
use policy::split::Turns;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// What is wrong with an expression of a match, in words; `None` when nothing is.
#[pyfunction]
fn expression_fault(source: &str) -> Option<String> {
    Text::expression(source)
        .err()
        .map(|error| error.to_string())
}

/// Rules by their precedence.
#[pyclass(frozen, module = "sidecar._core")]
struct RouteTable(Table);

#[pymethods]
impl RouteTable {
    #[new]
    fn new(rules: Vec<Bound<'_, PyAny>>) -> PyResult<Self> {
        let rules: Vec<_> = rules.iter().map(rule).collect::<PyResult<_>>()?;
        Ok(Self(Table::new(&rules)))
    }

    fn find(
        &self,
        method: &str,
        path: &str,
        headers: HashMap<String, String>,
        queries: HashMap<String, String>,
    ) -> Option<usize> {
        self.0.find(&Asked {
            method,
            path,
            headers,
            queries,
        })
    }
}

fn rule(given: &Bound<'_, PyAny>) -> PyResult<Rule> {
    let matches: Vec<Bound<'_, PyAny>> = given.getattr("matches")?.extract()?;
    let route: String = given.getattr("route")?.extract()?;
    Ok(Rule {
        created_ns: given.getattr("created_ns")?.extract()?,
        route: route.into(),
        matches: matches.iter().map(matcher).collect::<PyResult<_>>()?,
    })
}

fn matcher(given: &Bound<'_, PyAny>) -> PyResult<Matcher> {
    let path: Option<(String, String)> = given.getattr("path")?.extract()?;
    let method: Option<String> = given.getattr("method")?.extract()?;
    Ok(Matcher {
        path: path
            .map(|(kind, value)| self::path(&kind, &value))
            .transpose()?,
        method: method.map(|method| method.into_bytes().into()),
        headers: fields(given, "headers")?,
        queries: fields(given, "queries")?,
    })
}

fn path(kind: &str, value: &str) -> PyResult<Path> {
    match kind {
        "exact" => Ok(Path::Whole(exact(value))),
        "prefix" => Ok(Path::Prefix(value.as_bytes().into())),
        "expression" => {
            let text = Text::expression(value);
            let text = text.map_err(|error| PyValueError::new_err(error.to_string()))?;
            Ok(Path::Whole(text))
        }
        _ => Err(PyValueError::new_err(format!(
            "expected exact, prefix or expression, found {kind:?}"
        ))),
    }
}

fn fields(given: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<Field>> {
    let pairs: Vec<(String, String)> = given.getattr(name)?.extract()?;
    let field = |(name, value): (String, String)| Field {
        name: name.into(),
        value: exact(&value),
    };
    Ok(pairs.into_iter().map(field).collect())
}

fn exact(text: &str) -> Text {
    Text::Exact(text.as_bytes().into())
}

struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    headers: HashMap<String, String>,
    queries: HashMap<String, String>,
}

impl Request for Asked<'_> {
    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.headers.get(name).map(|value| value.as_bytes().into())
    }

    fn query(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.queries.get(name).map(|value| value.as_bytes().into())
    }
}

/// Whose turn it is in a split.
#[pyclass(module = "sidecar._core")]
struct SplitTurns(Turns);

#[pymethods]
impl SplitTurns {
    #[new]
    fn new() -> Self {
        Self(Turns::default())
    }

    fn next(&mut self, weights: Vec<u32>) -> Option<usize> {
        let weight = |place: usize| weights.get(place).copied().unwrap_or_default();
        self.0.next(weights.len(), weight)
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<RouteTable>()?;
    module.add_class::<SplitTurns>()?;
    module.add_function(wrap_pyfunction!(expression_fault, module)?)
}
