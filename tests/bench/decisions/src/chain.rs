//! Every stage of a request in the order in which it meets them, as one decision: what all policies cost together.

use policy::admission::{self, Admission};
use policy::backpressure::{self, Backpressure, Concurrency, Discipline, Entry, Mode, QueueParams};
use policy::balancer::{Load, cheaper, two_of};
use policy::breaker::{self, Breaker};
use policy::budget::{self, Budget};
use policy::bulkhead::{self, Bulkhead, Claim, NO_LANES};
use policy::deadline::{Bounds, Deadline};
use policy::ending::{Ending, default_failures};
use policy::histogram::Histogram;
use policy::outlier::{self, Detector, Record, Signal};
use policy::rate_limit::{
    Algorithm, Arrival, Ask, Limiter, Params, Rate, Verdict, WhenKeysFull, admit,
};
use policy::{Criticality, Moment, Percent};

use crate::measure::Case;
use crate::time::{SECOND_NS, draw, instant};

const ENDPOINTS: usize = 10;
const LATENCY_NS: u64 = 1_000_000;

pub fn cases() -> Vec<Case> {
    vec![
        Case::new("all stages of a caller together", || {
            let mut caller = Caller::new();
            move |number| caller.call(number)
        }),
        Case::new("all stages of a callee together", || {
            let mut callee = Callee::new();
            move |number| callee.serve(number)
        }),
    ]
}

fn limiter() -> Limiter {
    Limiter::new(Params {
        algorithm: Algorithm::TokenBucket {
            rate: Rate::new(2_000_000, SECOND_NS),
            burst: None,
        },
        max_keys: 65_536,
        when_keys_full: WhenKeysFull::ShareOne,
        count_refused: false,
    })
}

fn is_admitted(limiters: &mut [Limiter], now_ns: u64, left_ns: Option<u64>) -> bool {
    let at = Moment {
        now_ns,
        unix_ns: now_ns + 77,
    };
    let arrival = Arrival {
        at,
        left_ns,
        is_exempt: false,
    };
    let verdict = admit(limiters, &mut [Ask::new(0, None, 1)], &arrival);
    matches!(verdict, Verdict::Admitted { .. })
}

fn fixed(now_ns: u64) -> Option<Deadline> {
    let bounds = Bounds {
        policy_ns: Some(15 * SECOND_NS),
        carried_ns: Some(2 * SECOND_NS),
        grpc_ns: None,
    };
    Deadline::fix(&bounds, now_ns).ok().flatten()
}

/// What a caller's sidecar asks about a call, and tells of its end.
struct Caller {
    limiters: [Limiter; 1],
    admission: Admission,
    bulkhead: Bulkhead,
    budget: Budget,
    breaker: Breaker,
    endpoints: Vec<(Breaker, Load, Record)>,
    detector: Detector,
    failures: policy::condition::Conditions,
    latencies: Histogram,
}

impl Caller {
    fn new() -> Self {
        let breaker = || Breaker::new(breaker::Params::default());
        Self {
            limiters: [limiter()],
            admission: Admission::new(admission::Params {
                success_rate: Percent::new(95),
                window_ns: 30 * SECOND_NS,
                max_reject: Percent::new(80),
            }),
            bulkhead: Bulkhead::new(bulkhead::Params {
                max_concurrent: 100,
                max_queue: None,
                queue_timeout_ns: None,
                lanes: NO_LANES,
            }),
            budget: Budget::new(budget::Params {
                percent: Percent::new(20),
                interval_ns: 10 * SECOND_NS,
                floor: budget::Rate {
                    count: 10,
                    per_ns: SECOND_NS,
                },
            }),
            breaker: breaker(),
            endpoints: (0..ENDPOINTS)
                .map(|_| (breaker(), Load::new(0), Record::default()))
                .collect(),
            detector: Detector::new(outliers(), 0),
            failures: default_failures(),
            latencies: Histogram::default(),
        }
    }

    fn call(&mut self, number: u64) -> bool {
        let now_ns = instant(number);
        let left_ns = fixed(now_ns).map(|deadline| deadline.left_ns(now_ns));
        if !is_admitted(&mut self.limiters, now_ns, left_ns)
            || !self.admission.admits(now_ns, draw(number))
            || self.bulkhead.acquire(Claim::default()) != bulkhead::Arrival::Acquired
        {
            return false;
        }
        self.budget.deposit(now_ns);
        let is_sent = self.attempt(number, now_ns);
        self.admission.record(is_sent, now_ns);
        self.latencies.record(LATENCY_NS);
        is_sent && self.bulkhead.release(Criticality::Default).is_none()
    }

    /// Both breakers, the choice of an endpoint, and what its answer tells each of them.
    fn attempt(&mut self, number: u64, now_ns: u64) -> bool {
        let Ok(permit) = self.breaker.admit(now_ns, draw(number)) else {
            return false;
        };
        let endpoints = &self.endpoints;
        let cost = |place: u32| endpoints[place as usize].1.cost(now_ns, 1);
        let Some(pair) = two_of(endpoints.len() as u32, draw(number)) else {
            return false;
        };
        let (place, _) = cheaper(pair, None, cost);
        let (breaker, load, record) = &mut self.endpoints[place as usize];
        let Ok(own) = breaker.admit(now_ns, draw(number)) else {
            return false;
        };
        load.begin();
        load.end(LATENCY_NS, now_ns);
        let ending = Ending::Response {
            status: 200,
            code: None,
        };
        let outcome = ending.outcome(&self.failures);
        breaker.on_result(own, outcome, LATENCY_NS, now_ns, draw(number));
        self.breaker
            .on_result(permit, outcome, LATENCY_NS, now_ns, draw(number));
        let signal = Signal::of(&ending, &self.failures);
        signal.is_some_and(|signal| {
            let ejected = self.detector.on_result(record, signal, LATENCY_NS, now_ns);
            ejected.is_none()
        })
    }
}

const fn outliers() -> outlier::Params {
    outlier::Params {
        interval_ns: 10 * SECOND_NS,
        consecutive_failures: Some(5),
        consecutive_gateway_failures: Some(5),
        connect_failures: Some(5),
        success_rate: None,
        failure_percentage: None,
        latency: None,
        base_ns: 30 * SECOND_NS,
        max_ns: 300 * SECOND_NS,
    }
}

/// What a callee's sidecar asks about a request, and tells of its end.
struct Callee {
    limiters: [Limiter; 1],
    front: Backpressure,
    latencies: Histogram,
}

impl Callee {
    fn new() -> Self {
        let front = Backpressure::new(backpressure::Params {
            concurrency: Concurrency::Fixed(100),
            queue: Some(QueueParams {
                capacity: 1_000,
                mode: Mode::DropNewest,
                discipline: Discipline::Fifo,
            }),
            early_detection: None,
        });
        Self {
            limiters: [limiter()],
            front,
            latencies: Histogram::default(),
        }
    }

    fn serve(&mut self, number: u64) -> bool {
        let now_ns = instant(number);
        let left_ns = fixed(now_ns).map(|deadline| deadline.left_ns(now_ns));
        let arrival = backpressure::Arrival::default();
        if !is_admitted(&mut self.limiters, now_ns, left_ns)
            || self.front.arrive(&arrival, now_ns) != Entry::Runs
        {
            return false;
        }
        self.front.finish(Some(LATENCY_NS), now_ns);
        self.latencies.record(LATENCY_NS);
        true
    }
}
