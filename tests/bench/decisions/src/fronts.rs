//! What stands before and behind a call: bulkhead, queue, admission control, breaker, retry budget.

use std::hint::black_box;

use policy::admission::{self, Admission};
use policy::backpressure::{
    Arrival, Backpressure, Concurrency, Discipline, Entry, Mode, Params, QueueParams, codel,
    gradient,
};
use policy::breaker::{self, Breaker};
use policy::budget::{self, Budget};
use policy::bulkhead::{self, Bulkhead, Claim, NO_LANES};
use policy::{Criticality, Outcome, Percent};

use crate::measure::Case;
use crate::time::{SECOND_NS, draw, instant};

const ADAPTIVE: Concurrency = Concurrency::Adaptive(gradient::Params {
    min: 8,
    max: 512,
    tolerance: 1.5,
    smoothing: 0.2,
});
const CODEL: Discipline = Discipline::Codel(codel::Params {
    target_ns: SECOND_NS,
    interval_ns: SECOND_NS,
});

pub fn cases() -> Vec<Case> {
    vec![
        bulkhead("bulkhead, there and back"),
        front("backpressure, there and back", Concurrency::Fixed(100)),
        front("backpressure, adaptive, there and back", ADAPTIVE),
        queue("backpressure, through the queue", Discipline::Fifo),
        queue("backpressure, through the queue with CoDel", CODEL),
        full("backpressure, refusing"),
        admission("admission control"),
        breaker("breaker, there and back"),
        budget("retry budget, a request"),
    ]
}

fn bulkhead(name: &'static str) -> Case {
    Case::new(name, || {
        let mut bulkhead = Bulkhead::new(bulkhead::Params {
            max_concurrent: 100,
            max_queue: None,
            queue_timeout_ns: None,
            lanes: NO_LANES,
        });
        move |_| {
            let bulkhead = black_box(&mut bulkhead);
            let is_acquired = bulkhead.acquire(Claim::default()) == bulkhead::Arrival::Acquired;
            is_acquired && bulkhead.release(Criticality::Default).is_none()
        }
    })
}

fn params(concurrency: Concurrency, discipline: Discipline) -> Params {
    Params {
        concurrency,
        queue: Some(QueueParams {
            capacity: 1000,
            mode: Mode::DropNewest,
            discipline,
        }),
        early_detection: None,
    }
}

fn front(name: &'static str, concurrency: Concurrency) -> Case {
    Case::new(name, move || {
        let mut front = Backpressure::new(params(concurrency, Discipline::Fifo));
        move |number| {
            let now_ns = instant(number);
            let runs = front.arrive(&Arrival::default(), now_ns) == Entry::Runs;
            front.finish(Some(1_000_000), now_ns);
            runs
        }
    })
}

fn queue(name: &'static str, discipline: Discipline) -> Case {
    Case::new(name, move || {
        let mut front = Backpressure::new(params(Concurrency::Fixed(1), discipline));
        let _ = front.arrive(&Arrival::default(), 0);
        move |number| {
            let now_ns = instant(number);
            let waits = front.arrive(&Arrival::default(), now_ns) != Entry::Runs;
            front.finish(None, now_ns);
            waits && front.next_event().is_some()
        }
    })
}

fn full(name: &'static str) -> Case {
    Case::new(name, || {
        let mut front = Backpressure::new(params(Concurrency::Fixed(1), Discipline::Fifo));
        while !matches!(front.arrive(&Arrival::default(), 0), Entry::Refused(_)) {}
        move |number| front.arrive(&Arrival::default(), instant(number)) == Entry::Runs
    })
}

fn admission(name: &'static str) -> Case {
    Case::new(name, || {
        let mut admission = Admission::new(admission::Params {
            success_rate: Percent::new(95),
            window_ns: 30 * SECOND_NS,
            max_reject: Percent::new(80),
        });
        move |number| {
            let now_ns = instant(number);
            let admits = admission.admits(now_ns, draw(number));
            admission.record(number % 20 != 0, now_ns);
            admits
        }
    })
}

fn breaker(name: &'static str) -> Case {
    Case::new(name, || {
        let mut breaker = Breaker::new(breaker::Params::default());
        move |number| {
            let now_ns = instant(number);
            let Ok(permit) = breaker.admit(now_ns, 0) else {
                return false;
            };
            breaker.on_result(permit, Outcome::Success, 1_000_000, now_ns, 0);
            true
        }
    })
}

fn budget(name: &'static str) -> Case {
    Case::new(name, || {
        let mut budget = Budget::new(budget::Params {
            percent: Percent::new(20),
            interval_ns: 10 * SECOND_NS,
            floor: budget::Rate {
                count: 10,
                per_ns: SECOND_NS,
            },
        });
        move |number| {
            budget.deposit(instant(number));
            true
        }
    })
}
