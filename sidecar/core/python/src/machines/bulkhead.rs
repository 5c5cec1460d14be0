//! The bulkhead.

use policy::Percent;
use policy::bulkhead::{self, Arrival, Claim, Flow};
use pyo3::prelude::*;

use super::numbers::percent;
use super::words::criticality as class_of;

/// `BulkheadParams` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct Params {
    max_concurrent: u32,
    max_queue: Option<u32>,
    queue_timeout_ns: Option<u64>,
    lanes: Lanes,
}

/// `Lanes` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct Lanes {
    #[pyo3(from_py_with = percent)]
    critical: Percent,
    #[pyo3(from_py_with = percent)]
    default: Percent,
    #[pyo3(from_py_with = percent)]
    sheddable: Percent,
    #[pyo3(from_py_with = percent)]
    background: Percent,
}

impl From<Params> for bulkhead::Params {
    fn from(params: Params) -> Self {
        Self {
            max_concurrent: params.max_concurrent,
            max_queue: params.max_queue,
            queue_timeout_ns: params.queue_timeout_ns,
            lanes: [
                params.lanes.critical,
                params.lanes.default,
                params.lanes.sheddable,
                params.lanes.background,
            ],
        }
    }
}

/// A place in the line.
#[pyclass(frozen, eq, hash, skip_from_py_object, module = "sidecar._core")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ticket(pub(super) bulkhead::Ticket);

#[derive(IntoPyObject)]
enum Entry {
    Word(&'static str),
    Ticket(Ticket),
}

/// One bulkhead.
#[pyclass(module = "sidecar._core")]
struct Bulkhead(bulkhead::Bulkhead);

#[pymethods]
impl Bulkhead {
    #[new]
    fn new(params: Params) -> Self {
        Self(bulkhead::Bulkhead::new(params.into()))
    }

    #[pyo3(signature = (criticality = "default", flow = 0))]
    fn acquire(&mut self, criticality: &str, flow: Flow) -> PyResult<Entry> {
        let class = class_of(criticality)?;
        Ok(match self.0.acquire(Claim { class, flow }) {
            Arrival::Acquired => Entry::Word("acquired"),
            Arrival::Queued(ticket) => Entry::Ticket(Ticket(ticket)),
            Arrival::Full => Entry::Word("full"),
        })
    }

    #[pyo3(signature = (criticality = "default"))]
    fn release(&mut self, criticality: &str) -> PyResult<Option<Ticket>> {
        Ok(self.0.release(class_of(criticality)?).map(Ticket))
    }

    #[pyo3(signature = (ticket, criticality = "default"))]
    fn abandon(&mut self, ticket: &Ticket, criticality: &str) -> PyResult<Option<Ticket>> {
        Ok(self.0.abandon(ticket.0, class_of(criticality)?).map(Ticket))
    }

    fn admit_next(&mut self) -> Option<Ticket> {
        self.0.admit_next().map(Ticket)
    }

    fn reconfigure(&mut self, params: Params) {
        self.0.reconfigure(params.into());
    }

    fn queue_timeout_ns(&self, left_ns: Option<u64>) -> u64 {
        self.0.queue_timeout_ns(left_ns)
    }

    #[getter]
    fn queue_capacity(&self) -> u32 {
        self.0.queue_capacity()
    }

    fn running(&self, criticality: &str) -> PyResult<u32> {
        Ok(self.0.running(class_of(criticality)?))
    }

    #[getter]
    fn in_flight(&self) -> u32 {
        self.0.in_flight()
    }

    #[getter]
    fn waiting(&self) -> u32 {
        self.0.waiting()
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Bulkhead>()?;
    module.add_class::<Ticket>()
}
