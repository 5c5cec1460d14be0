//! Instance groups.

use policy::instance_groups::{Change, Overflow, Size, Watch};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

use super::numbers::percent;
use super::words::parse;

const OVERFLOW: &[(&str, Overflow)] = &[
    ("Never", Overflow::Never),
    ("WhenEmpty", Overflow::WhenEmpty),
];

fn overflow(value: &Bound<'_, PyAny>) -> PyResult<Overflow> {
    match value.extract::<String>() {
        Ok(word) => parse(&word, OVERFLOW),
        Err(_) => percent(value).map(Overflow::WhenBelow),
    }
}

/// The places of the first and the last group that a request may be sent to.
#[pyfunction]
fn reach(
    sizes: Vec<(u32, u32)>,
    group: usize,
    #[pyo3(from_py_with = overflow)] overflow: Overflow,
) -> PyResult<(usize, usize)> {
    if group >= sizes.len() {
        let message = format!("expected the place of a group, found {group}");
        return Err(PyIndexError::new_err(message));
    }
    let size = |&(ready, total): &(u32, u32)| Size { ready, total };
    let sizes: Vec<_> = sizes.iter().map(size).collect();
    Ok(overflow.reach(&sizes, group).into_inner())
}

/// Notices when a group empties.
#[pyclass(module = "sidecar._core")]
struct GroupWatch(Watch);

#[pymethods]
impl GroupWatch {
    #[new]
    fn new() -> Self {
        Self(Watch::default())
    }

    fn observe(&mut self, ready: u32, total: u32) -> Option<&'static str> {
        self.0
            .observe(Size { ready, total })
            .map(|change| match change {
                Change::Emptied => "emptied",
                Change::Refilled => "refilled",
            })
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<GroupWatch>()?;
    module.add_function(wrap_pyfunction!(reach, module)?)
}
