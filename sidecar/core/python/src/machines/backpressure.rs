//! What stands in front of an application.

use policy::Percent;
use policy::backpressure::{
    self, Concurrency, Discipline, EarlyDetection, Entry, Flow, Mode, QueueParams, codel, gradient,
};
use pyo3::prelude::*;

use super::bulkhead::Ticket;
use super::numbers::percent;
use super::words::criticality;

/// `BackpressureParams` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct Params {
    concurrency: Option<ConcurrencyParams>,
    queue: Option<QueueOptions>,
    early_detection: Option<Early>,
}

#[derive(FromPyObject)]
enum ConcurrencyParams {
    Adaptive {
        min: u32,
        max: u32,
        tolerance: f64,
        smoothing: f64,
    },
    #[pyo3(transparent)]
    Fixed(u32),
}

#[derive(FromPyObject)]
struct QueueOptions {
    capacity: u32,
    mode: ModeParams,
    codel: Option<CodelParams>,
}

/// The modes of `sidecar/machines/`, told apart by their fields.
#[derive(FromPyObject)]
enum ModeParams {
    Block {
        for_ns: u64,
    },
    Buffer {
        max_capacity: u32,
        max_bytes: u64,
    },
    Throttle {
        #[pyo3(from_py_with = percent)]
        throttle_from: Percent,
    },
    #[pyo3(transparent)]
    Word(String),
}

#[derive(FromPyObject)]
struct CodelParams {
    target_ns: u64,
    interval_ns: u64,
    newest_first: bool,
}

#[derive(FromPyObject)]
struct Early {
    shed_background_below_ns: u64,
    shed_sheddable_below_ns: u64,
}

impl From<ConcurrencyParams> for Concurrency {
    fn from(params: ConcurrencyParams) -> Self {
        match params {
            ConcurrencyParams::Fixed(limit) => Self::Fixed(limit),
            ConcurrencyParams::Adaptive {
                min,
                max,
                tolerance,
                smoothing,
            } => Self::Adaptive(gradient::Params {
                min,
                max,
                tolerance,
                smoothing,
            }),
        }
    }
}

impl TryFrom<ModeParams> for Mode {
    type Error = PyErr;

    fn try_from(params: ModeParams) -> PyResult<Self> {
        const WORDS: &[(&str, Mode)] = &[
            ("DropNewest", Mode::DropNewest),
            ("DropOldest", Mode::DropOldest),
        ];
        Ok(match params {
            ModeParams::Block { for_ns } => Self::Block { for_ns },
            ModeParams::Buffer {
                max_capacity,
                max_bytes,
            } => Self::Buffer {
                max_capacity,
                max_bytes,
            },
            ModeParams::Throttle { throttle_from } => Self::Throttle {
                from: throttle_from,
            },
            ModeParams::Word(word) => super::words::parse(&word, WORDS)?,
        })
    }
}

impl From<CodelParams> for Discipline {
    fn from(params: CodelParams) -> Self {
        let codel = codel::Params {
            target_ns: params.target_ns,
            interval_ns: params.interval_ns,
        };
        if params.newest_first {
            Self::CodelLifo(codel)
        } else {
            Self::Codel(codel)
        }
    }
}

impl TryFrom<QueueOptions> for QueueParams {
    type Error = PyErr;

    fn try_from(options: QueueOptions) -> PyResult<Self> {
        Ok(Self {
            capacity: options.capacity,
            mode: options.mode.try_into()?,
            discipline: options.codel.map_or(Discipline::Fifo, Discipline::from),
        })
    }
}

impl TryFrom<Params> for backpressure::Params {
    type Error = PyErr;

    fn try_from(params: Params) -> PyResult<Self> {
        Ok(Self {
            concurrency: params
                .concurrency
                .map_or(Concurrency::Unlimited, Concurrency::from),
            queue: params.queue.map(QueueParams::try_from).transpose()?,
            early_detection: params.early_detection.map(|early| EarlyDetection {
                shed_background_below_ns: early.shed_background_below_ns,
                shed_sheddable_below_ns: early.shed_sheddable_below_ns,
            }),
        })
    }
}

/// `Arrival` of `sidecar/machines/`.
#[derive(FromPyObject)]
struct Arrival {
    criticality: String,
    flow: Flow,
    bytes: u64,
    deadline_ns: Option<u64>,
    holds_permit: bool,
}

impl TryFrom<Arrival> for backpressure::Arrival {
    type Error = PyErr;

    fn try_from(arrival: Arrival) -> PyResult<Self> {
        Ok(Self {
            class: criticality(&arrival.criticality)?,
            flow: arrival.flow,
            bytes: arrival.bytes,
            deadline_ns: arrival.deadline_ns,
            holds_permit: arrival.holds_permit,
        })
    }
}

/// Somebody held in front of the queue.
#[pyclass(frozen, get_all, module = "sidecar._core")]
struct Held {
    ticket: Ticket,
    for_ns: u64,
}

/// Runs, or why it is refused; a place in the queue, or in front of it.
#[derive(IntoPyObject)]
enum Fate {
    Word(&'static str),
    Ticket(Ticket),
    Held(Held),
}

/// What stands in front of one application.
#[pyclass(module = "sidecar._core")]
struct Backpressure(backpressure::Backpressure);

#[pymethods]
impl Backpressure {
    #[new]
    fn new(params: Params) -> PyResult<Self> {
        Ok(Self(backpressure::Backpressure::new(params.try_into()?)))
    }

    fn arrive(&mut self, arrival: Arrival, now_ns: u64) -> PyResult<Fate> {
        Ok(match self.0.arrive(&arrival.try_into()?, now_ns) {
            Entry::Runs => Fate::Word("runs"),
            Entry::Waits(ticket) => Fate::Ticket(Ticket(ticket)),
            Entry::Held { ticket, for_ns } => Fate::Held(Held {
                ticket: Ticket(ticket),
                for_ns,
            }),
            Entry::Refused(reason) => Fate::Word(reason.as_str()),
        })
    }

    #[pyo3(signature = (now_ns, latency_ns = None))]
    fn finish(&mut self, now_ns: u64, latency_ns: Option<u64>) {
        self.0.finish(latency_ns, now_ns);
    }

    fn abandon(&mut self, ticket: &Ticket, now_ns: u64) {
        self.0.abandon(ticket.0, now_ns);
    }

    fn expire(&mut self, ticket: &Ticket) -> bool {
        self.0.expire(ticket.0)
    }

    fn take_events(&mut self) -> Vec<(Ticket, &'static str)> {
        std::iter::from_fn(|| self.0.next_event())
            .map(|event| match event {
                backpressure::Event::Runs(ticket) => (Ticket(ticket), "runs"),
                backpressure::Event::Refused(ticket, reason) => (Ticket(ticket), reason.as_str()),
            })
            .collect()
    }

    fn reconfigure(&mut self, params: Params, now_ns: u64) -> PyResult<()> {
        self.0.reconfigure(params.try_into()?, now_ns);
        Ok(())
    }

    fn slope(&mut self, now_ns: u64) -> (i64, u64) {
        let slope = self.0.slope(now_ns);
        (slope.grown, slope.in_ns)
    }

    /// In millionths.
    fn admit_rate(&mut self, now_ns: u64) -> Option<u32> {
        self.0.admit_rate(now_ns).map(Percent::millionths)
    }

    #[getter]
    fn limit(&self) -> u32 {
        self.0.limit()
    }

    #[getter]
    fn in_flight(&self) -> u32 {
        self.0.in_flight()
    }

    #[getter]
    fn depth(&self) -> u32 {
        self.0.depth()
    }

    #[getter]
    fn held(&self) -> u32 {
        self.0.held()
    }

    #[getter]
    fn capacity(&self) -> u32 {
        self.0.capacity()
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Backpressure>()?;
    module.add_class::<Held>()
}
