use std::rc::Rc;

use http1::Known;
use policy::backoff::Multiplier;
use policy::budget;
use policy::bulkhead::{NO_LANES, Params};
use policy::condition::Conditions;
use policy::ending::Ending;
use policy::fallback::Case;
use policy::hedge::After;
use policy::method::Method;
use policy::retry::{self, Backoff, Strategy};
use policy::{Outcome, Percent, Reason};

use super::{Course, End, Exchange};
use crate::config::{Bulkhead, Fallback, Hedge, Instead, Retry};
use crate::live::Cluster;
use crate::report::{Direction, Question};
use crate::request::Response;
use crate::tally::AttemptResult;
use crate::worker::tests::{SECOND_NS, block, breaker, cart, cluster, serve, worker};
use crate::worker::{Entry, Worker};

struct Head(u16);

impl Response for Head {
    fn status(&self) -> u16 {
        self.0
    }

    fn known(&self, _: Known) -> Option<&[u8]> {
        None
    }

    fn find(&self, _: &str) -> Option<&[u8]> {
        None
    }
}

/// A peer's refusal.
struct Full;

impl Response for Full {
    fn status(&self) -> u16 {
        503
    }

    fn known(&self, name: Known) -> Option<&[u8]> {
        (name == Known::ProxyStatus).then_some(b"breakwater; error=x; details=\"queue.full\"")
    }

    fn find(&self, _: &str) -> Option<&[u8]> {
        None
    }
}

fn request() -> Question {
    Question {
        direction: Direction::Outbound,
        service: cart(),
        method: "GET".into(),
        path: "/".into(),
        headers: Vec::new(),
    }
}

/// An exchange that was admitted.
async fn admitted(worker: &Rc<Worker>) -> Exchange {
    let (entry, request) = (Entry::Outbound, request());
    let mut exchange = Exchange::begin(worker, &entry, &request);
    exchange.admit(&entry, &request).await.unwrap();
    exchange
}

/// A cluster whose every stage holds something.
fn guarded(worker: &Rc<Worker>) -> Rc<Cluster> {
    let params = Params {
        max_concurrent: 1,
        max_queue: Some(0),
        queue_timeout_ns: None,
        lanes: NO_LANES,
    };
    serve(
        worker,
        crate::config::Cluster {
            bulkhead: block(Bulkhead {
                params,
                shared: None,
            }),
            service_breaker: breaker(),
            endpoint_breaker: breaker(),
            ..cluster(2)
        },
    )
}

/// Permits and gauges that are out: bulkhead, in flight, endpoints.
fn held(worker: &Worker, cluster: &Cluster) -> (u32, u32, u32) {
    let bulkhead = cluster
        .bulkhead
        .as_ref()
        .map_or(0, |gate| gate.look(|gate| gate.in_flight()));
    let mut load = 0;
    cluster.ports[0].visit(worker, cluster, |endpoint, _| {
        load += endpoint.load.in_flight()
    });
    (bulkhead, cluster.tally.in_flight.get(), load)
}

/// How many requests ended for this reason.
fn ended(cluster: &Cluster, reason: Option<Reason>) -> u64 {
    let mut total = 0;
    cluster.tally.visit_requests(|ended, count| {
        total += if ended.reason == reason { count } else { 0 };
    });
    total
}

#[tokio::test(start_paused = true)]
async fn an_exchange_dropped_at_any_point_returns_everything_and_is_recorded_once() {
    let worker = worker();
    let cluster = guarded(&worker);
    let steps: [fn(&mut Exchange); 3] = [
        |_| {},
        |exchange| drop(exchange.attempt().unwrap()),
        |exchange| {
            exchange.attempt().unwrap();
            exchange.answered(&Head(200));
        },
    ];
    for (place, step) in steps.into_iter().enumerate() {
        let mut exchange = admitted(&worker).await;
        step(&mut exchange);
        drop(exchange);
        assert_eq!(held(&worker, &cluster), (0, 0, 0));
        assert_eq!(
            ended(&cluster, Some(Reason::ClientCancelled)),
            place as u64 + 1
        );
    }
    let counts = cluster
        .breaker
        .as_ref()
        .unwrap()
        .borrow_mut()
        .machine
        .counts(SECOND_NS);
    assert_eq!(
        (
            counts.calls,
            cluster.tally.attempts(AttemptResult::Cancelled)
        ),
        (0, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_finished_exchange_is_counted_once_with_all_its_parts() {
    let worker = worker();
    let cluster = guarded(&worker);
    let mut exchange = admitted(&worker).await;
    exchange.attempt().unwrap();
    assert_eq!(held(&worker, &cluster), (1, 1, 1));
    assert!(matches!(exchange.answered(&Head(200)), Course::Deliver));
    exchange.finish(End::Complete { code: None }, 5);
    drop(exchange);
    assert_eq!(held(&worker, &cluster), (0, 0, 0));
    assert_eq!(
        (
            ended(&cluster, None),
            ended(&cluster, Some(Reason::ClientCancelled))
        ),
        (1, 0)
    );
    assert_eq!(cluster.tally.attempts(AttemptResult::Success), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_returns_everything() {
    let worker = worker();
    let cluster = guarded(&worker);
    let shared = Rc::clone(&worker);
    let task = tokio::task::LocalSet::new();
    let panicked = task
        .run_until(async move {
            tokio::task::spawn_local(async move {
                let mut exchange = admitted(&shared).await;
                exchange.attempt().unwrap();
                panic!("as a bug would");
            })
            .await
        })
        .await;
    assert!(panicked.unwrap_err().is_panic());
    assert_eq!(held(&worker, &cluster), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_a_later_stage_refuses_leaves_its_place_free() {
    let worker = worker();
    let mut config = cluster(0);
    config.service_breaker = breaker();
    let cluster = serve(&worker, config);
    let guard = cluster.breaker.clone().unwrap();
    {
        let machine = &mut guard.borrow_mut().machine;
        let now_ns = worker.clock.now_ns();
        let permit = machine.admit(now_ns, 0).unwrap();
        machine.on_result(permit, Outcome::Failure, 0, now_ns, 0);
    }
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    for _ in 0..3 {
        let mut exchange = admitted(&worker).await;
        let refusal = exchange.attempt().unwrap_err();
        assert_eq!(refusal.reason, Reason::UpstreamNoEndpoints);
        assert_eq!(guard.borrow().machine.probes_in_flight(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_of_a_call_begun_before_the_breaker_opened_changes_nothing() {
    let worker = worker();
    let mut config = cluster(1);
    config.service_breaker = breaker();
    let cluster = serve(&worker, config);
    let (mut slow, mut failing) = (admitted(&worker).await, admitted(&worker).await);
    slow.attempt().unwrap();
    failing.attempt().unwrap();
    failing.answered(&Head(503));
    failing.finish(End::Complete { code: None }, 0);
    slow.answered(&Head(200));
    slow.finish(End::Complete { code: None }, 0);
    let state = cluster.breaker.as_ref().unwrap().borrow().machine.state();
    assert_eq!(state, policy::breaker::State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_a_failure_whatever_its_status() {
    let worker = worker();
    let mut config = cluster(1);
    config.service_breaker = breaker();
    let cluster = serve(&worker, config);
    let mut exchange = admitted(&worker).await;
    exchange.attempt().unwrap();
    exchange.answered(&Head(200));
    exchange.finish(End::Truncated, 3);
    let guard = cluster.breaker.as_ref().unwrap().borrow();
    assert_eq!(guard.machine.state(), policy::breaker::State::Open);
    assert_eq!(ended(&cluster, Some(Reason::UpstreamReset)), 1);
}

#[tokio::test(start_paused = true)]
async fn the_grpc_status_of_the_trailers_decides() {
    let worker = worker();
    let mut config = cluster(1);
    config.service_breaker = breaker();
    let cluster = serve(&worker, config);
    let grpc = ("content-type".to_owned(), "application/grpc".to_owned());
    let request = Question {
        headers: vec![grpc],
        ..request()
    };
    let mut exchange = Exchange::begin(&worker, &Entry::Outbound, &request);
    exchange.admit(&Entry::Outbound, &request).await.unwrap();
    exchange.attempt().unwrap();
    exchange.answered(&Head(200));
    let code = Some(policy::grpc::Code::Unavailable);
    exchange.finish(End::Complete { code }, 0);
    let guard = cluster.breaker.as_ref().unwrap().borrow();
    assert_eq!(guard.machine.state(), policy::breaker::State::Open);
}

/// One more try after a reset, on a budget of one for each request.
fn once_more() -> Retry {
    Retry {
        other_methods: Vec::new(),
        params: retry::Params {
            attempts: 1,
            when: Conditions::parse(["Reset"]).unwrap(),
            methods: [Method::Get].into_iter().collect(),
            backoff: Backoff {
                strategy: Strategy::Immediate,
                base_ns: 0,
                multiplier: Multiplier::from_thousandths(1_000),
                max_ns: 0,
                jitter_ns: 0,
            },
            replay_bytes: 0,
            honor_retry_after: true,
        },
        budget: budget::Params {
            percent: Percent::new(100),
            interval_ns: 10 * SECOND_NS,
            floor: budget::Rate {
                count: 0,
                per_ns: SECOND_NS,
            },
        },
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_without_a_connection_costs_nothing_and_the_failure_before_it_goes_back() {
    let worker = worker();
    let mut config = cluster(2);
    config.retry = block(once_more());
    let cluster = serve(&worker, config);
    let left = || {
        let budget = cluster.budget.as_ref().unwrap();
        budget.borrow_mut().available(worker.clock.now_ns())
    };
    let mut exchange = admitted(&worker).await;
    exchange.attempt().unwrap();
    let course = exchange.failed(Ending::Reset, Reason::UpstreamReset);
    assert!(matches!(course, Course::Retry { .. }));
    exchange.retry().unwrap();
    assert_eq!(left(), 0);
    assert_eq!(exchange.withdraw().reason, Reason::UpstreamReset);
    assert_eq!(left(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_and_the_hedge_beside_it_that_both_get_no_connection_cost_nothing() {
    let worker = worker();
    let mut config = cluster(2);
    config.retry = block(once_more());
    config.hedge = block(Hedge {
        after: After::Fixed(SECOND_NS),
        budget: once_more().budget,
    });
    let cluster = serve(&worker, config);
    // Each request deposits what a retry costs.
    drop(admitted(&worker).await);
    let left = || {
        let budget = cluster.budget.as_ref().unwrap();
        budget.borrow_mut().available(worker.clock.now_ns())
    };
    let mut exchange = admitted(&worker).await;
    exchange.attempt().unwrap();
    exchange.failed(Ending::Reset, Reason::UpstreamReset);
    exchange.retry().unwrap();
    exchange.hedge().unwrap();
    assert_eq!(left(), 0);
    exchange.stand_down();
    assert_eq!(left(), 1);
    assert_eq!(exchange.withdraw().reason, Reason::UpstreamReset);
    assert_eq!(left(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_peers_refusal_that_goes_back_after_all_has_its_fallback() {
    let worker = worker();
    let mut config = cluster(2);
    let endpoints = config.endpoints.iter_mut();
    endpoints.for_each(|endpoint| endpoint.has_sidecar = true);
    config.retry = block(once_more());
    config.fallback = block(Fallback {
        when: [Case::Refused].into_iter().collect(),
        instead: Instead::Response {
            status: 200,
            headers: Vec::new(),
            body: "later".into(),
        },
    });
    config.service_breaker = breaker();
    let cluster = serve(&worker, config);
    let mut exchange = admitted(&worker).await;
    exchange.attempt().unwrap();
    assert!(matches!(exchange.answered(&Full), Course::Retry { .. }));
    let guard = cluster.breaker.as_ref().unwrap();
    let permit = guard.borrow_mut().machine.admit(SECOND_NS, 0).unwrap();
    let failed = |machine: &mut policy::breaker::Breaker| {
        machine.on_result(permit, Outcome::Failure, 0, SECOND_NS, 0);
    };
    failed(&mut guard.borrow_mut().machine);
    exchange.retry().unwrap_err();
    let refusal = exchange.stand_in(&Full).unwrap();
    assert_eq!(refusal.reason, Reason::QueueFull);
    let answer = exchange.refuse(&refusal, &request());
    assert_eq!((answer.status, &*answer.body), (200, "later"));
}
