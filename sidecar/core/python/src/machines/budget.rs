//! The retry budget.

use policy::Percent;
use policy::budget::{self, Rate};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::numbers::percent;

/// `BudgetParams` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct Params {
    #[pyo3(from_py_with = percent)]
    percent: Percent,
    interval_ns: u64,
    floor_count: u64,
    floor_per_ns: u64,
}

impl From<Params> for budget::Params {
    fn from(params: Params) -> Self {
        Self {
            percent: params.percent,
            interval_ns: params.interval_ns,
            floor: Rate {
                count: params.floor_count,
                per_ns: params.floor_per_ns,
            },
        }
    }
}

/// A retry paid for.
#[pyclass(module = "sidecar._core")]
pub(super) struct Spent(Option<budget::Spent>);

impl Spent {
    pub(super) const fn new(spent: budget::Spent) -> Self {
        Self(Some(spent))
    }
}

/// One budget.
#[pyclass(module = "sidecar._core")]
pub(super) struct Budget(pub(super) budget::Budget);

#[pymethods]
impl Budget {
    #[new]
    fn new(params: Params) -> Self {
        Self(budget::Budget::new(params.into()))
    }

    fn deposit(&mut self, now_ns: u64) {
        self.0.deposit(now_ns);
    }

    fn spend(&mut self, now_ns: u64) -> Option<Spent> {
        self.0.spend(now_ns).map(Spent::new)
    }

    fn refund(&mut self, spent: &mut Spent) -> PyResult<()> {
        let refunded =
            || PyValueError::new_err("expected a retry paid for, found one refunded already");
        self.0.refund(spent.0.take().ok_or_else(refunded)?);
        Ok(())
    }

    fn available(&mut self, now_ns: u64) -> u64 {
        self.0.available(now_ns)
    }

    fn reconfigure(&mut self, params: Params) {
        self.0.reconfigure(params.into());
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Budget>()?;
    module.add_class::<Spent>()
}
