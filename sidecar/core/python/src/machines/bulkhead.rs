//! The bulkhead.

use policy::bulkhead::{self, Arrival};
use pyo3::prelude::*;

/// `BulkheadParams` of `sidecar/machines.py`.
#[derive(FromPyObject)]
struct Params {
    max_concurrent: u32,
    max_queue: Option<u32>,
    queue_timeout_ns: Option<u64>,
}

impl From<Params> for bulkhead::Params {
    fn from(params: Params) -> Self {
        Self {
            max_concurrent: params.max_concurrent,
            max_queue: params.max_queue,
            queue_timeout_ns: params.queue_timeout_ns,
        }
    }
}

/// A place in the line.
#[pyclass(frozen, eq, hash, skip_from_py_object, module = "sidecar._core")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Ticket(bulkhead::Ticket);

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

    fn acquire(&mut self) -> Entry {
        match self.0.acquire() {
            Arrival::Acquired => Entry::Word("acquired"),
            Arrival::Queued(ticket) => Entry::Ticket(Ticket(ticket)),
            Arrival::Full => Entry::Word("full"),
        }
    }

    fn release(&mut self) -> Option<Ticket> {
        self.0.release().map(Ticket)
    }

    fn abandon(&mut self, ticket: &Ticket) -> Option<Ticket> {
        self.0.abandon(ticket.0).map(Ticket)
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
