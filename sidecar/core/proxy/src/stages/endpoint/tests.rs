use std::rc::Rc;

use policy::Outcome;
use policy::breaker::State;
use policy::ending::default_failures;
use policy::outlier::{self, Signal};

use super::{Affinity, Picked, Settlement};
use crate::config::{Block, Outliers};
use crate::live::Cluster;
use crate::worker::Worker;
use crate::worker::tests::{SECOND_NS, block, breaker, cluster, serve, worker};

/// The latency that an endpoint is taken to have which was not called yet.
const AS_NEW_NS: u64 = 30_000_000;

fn failure() -> Settlement {
    Settlement {
        outcome: Outcome::Failure,
        signal: None,
        latency_ns: 1,
        load_ns: 1,
        has_failed: true,
        retry_after_ns: None,
    }
}

fn answered(latency_ns: u64) -> Settlement {
    Settlement {
        outcome: Outcome::Success,
        latency_ns,
        load_ns: latency_ns,
        has_failed: false,
        ..failure()
    }
}

/// Fails one call to each endpoint but the last `spared`; the live cluster.
fn failed_but(worker: &Rc<Worker>, spared: usize) -> Rc<Cluster> {
    let mut config = cluster(4);
    config.endpoint_breaker = breaker();
    let live = serve(worker, config);
    let mut failed = 0;
    while failed < 4 - spared {
        let picked = live.ports[0]
            .pick(worker, &live, &Affinity::default(), None, SECOND_NS)
            .unwrap();
        if usize::from(picked.address.port() - 9_000) < 4 - spared {
            picked.settle(worker, &live, failure(), SECOND_NS);
            failed += 1;
        }
    }
    live
}

fn ready(worker: &Worker, cluster: &Cluster) -> usize {
    let mut count = 0;
    cluster.ports[0].visit(worker, cluster, |_, is_ready| {
        count += usize::from(is_ready)
    });
    count
}

#[test]
fn one_endpoint_of_few_may_be_taken_out() {
    let worker = worker();
    let live = failed_but(&worker, 3);
    assert_eq!(ready(&worker, &live), 3);
    for _ in 0..100 {
        let picked = live.ports[0]
            .pick(&worker, &live, &Affinity::default(), None, SECOND_NS)
            .unwrap();
        assert_ne!(picked.address.port(), 9_000);
    }
}

#[test]
fn an_endpoint_that_stays_keeps_its_state_and_one_that_returns_starts_clean() {
    let worker = worker();
    failed_but(&worker, 3);
    let mut config = cluster(4);
    config.endpoint_breaker = breaker();
    let live = serve(&worker, config.clone());
    assert_eq!(ready(&worker, &live), 3);
    let mut without = config.clone();
    without.endpoints.remove(0);
    serve(&worker, without);
    let live = serve(&worker, config);
    assert_eq!(ready(&worker, &live), 4);
}

#[test]
fn a_call_to_an_endpoint_that_is_gone_ends_without_a_trace() {
    let worker = worker();
    let live = failed_but(&worker, 4);
    let picked = live.ports[0]
        .pick(&worker, &live, &Affinity::default(), None, SECOND_NS)
        .unwrap();
    let live = serve(&worker, cluster(0));
    picked.settle(&worker, &live, failure(), SECOND_NS);
    assert!(
        live.ports[0]
            .pick(&worker, &live, &Affinity::default(), None, SECOND_NS)
            .is_err()
    );
}

#[test]
fn the_endpoint_just_tried_is_avoided_while_another_is_ready() {
    let worker = worker();
    let live = serve(&worker, cluster(3));
    let tried = live.ports[0]
        .pick(&worker, &live, &Affinity::default(), None, SECOND_NS)
        .unwrap()
        .id;
    for _ in 0..100 {
        let picked = live.ports[0]
            .pick(&worker, &live, &Affinity::default(), Some(tried), SECOND_NS)
            .unwrap();
        assert_ne!(picked.id, tried);
    }
}

#[test]
fn an_endpoint_that_the_caller_chose_has_no_other_beside_it() {
    let worker = worker();
    let live = serve(&worker, cluster(3));
    let pick = |affinity: &Affinity| {
        let picked = live.ports[0].pick(&worker, &live, affinity, None, SECOND_NS);
        picked.unwrap()
    };
    let free = pick(&Affinity::default());
    let chosen = pick(&Affinity::default().to(Some(free.address)));
    assert_eq!([free.has_another(), chosen.has_another()], [true, false]);
}

/// The endpoint that a call at so many seconds goes to.
fn picked_at(worker: &Worker, live: &Cluster, second: u64) -> Picked {
    let now_ns = second * SECOND_NS;
    let picked = live.ports[0].pick(worker, live, &Affinity::default(), None, now_ns);
    picked.unwrap()
}

#[test]
fn the_last_endpoint_is_called_when_its_probe_has_no_answer_in_time() {
    let worker = worker();
    let mut config = cluster(1);
    config.endpoint_breaker = breaker();
    let live = serve(&worker, config);
    picked_at(&worker, &live, 1).settle(&worker, &live, failure(), SECOND_NS);
    let probe = picked_at(&worker, &live, 3);
    let set = &live.ports[0];
    let at_ns = |second: u64| second * SECOND_NS;
    let refused = set.pick(&worker, &live, &Affinity::default(), None, at_ns(32));
    assert!(refused.is_err(), "its probe is out");
    let uncounted = picked_at(&worker, &live, 33);
    assert_eq!(set.breaker_states()[..], [State::Open]);
    uncounted.settle(&worker, &live, answered(1), at_ns(33));
    probe.settle(&worker, &live, answered(1), at_ns(33));
    assert_eq!(set.breaker_states()[..], [State::Open]);
}

#[test]
fn an_endpoint_whose_breaker_has_closed_has_its_part_of_the_calls() {
    let worker = worker();
    let mut config = cluster(2);
    config.endpoint_breaker = breaker();
    let live = serve(&worker, config);
    let call = |second: u64, end: fn(u16) -> Settlement| {
        let picked = picked_at(&worker, &live, second);
        let port = picked.address.port();
        picked.settle(&worker, &live, end(port), second * SECOND_NS);
        port
    };
    let one_fails = |port| {
        if port == 9_000 {
            failure()
        } else {
            answered(AS_NEW_NS)
        }
    };
    while call(1, one_fails) != 9_000 {}
    let calls = (0..100).map(|_| call(3, |_| answered(AS_NEW_NS)));
    let to_the_closed = calls.filter(|port| *port == 9_000).count();
    assert!((30..70).contains(&to_the_closed), "{to_the_closed}");
}

fn detection() -> Option<Block<Outliers>> {
    let params = outlier::Params {
        interval_ns: 10 * SECOND_NS,
        consecutive_failures: Some(1),
        consecutive_gateway_failures: None,
        connect_failures: None,
        success_rate: None,
        failure_percentage: None,
        latency: None,
        base_ns: 30 * SECOND_NS,
        max_ns: 30 * SECOND_NS,
    };
    block(Outliers {
        params,
        readiness: Default::default(),
        failures: default_failures(),
    })
}

#[test]
fn an_outlier_that_is_back_is_called_but_not_by_everybody_while_it_has_not_answered() {
    let worker = worker();
    let mut config = cluster(2);
    config.outliers = detection();
    let live = serve(&worker, config);
    loop {
        let picked = picked_at(&worker, &live, 1);
        let is_bad = picked.address.port() == 9_000;
        let signal = if is_bad {
            Signal::Failure
        } else {
            Signal::Success
        };
        let end = if is_bad {
            failure()
        } else {
            answered(AS_NEW_NS)
        };
        let end = Settlement {
            signal: Some(signal),
            ..end
        };
        picked.settle(&worker, &live, end, SECOND_NS);
        if is_bad {
            break;
        }
    }
    let in_flight = |second: u64| {
        let picked: Vec<_> = (0..400)
            .map(|_| picked_at(&worker, &live, second))
            .collect();
        let back = picked.iter().filter(|it| it.address.port() == 9_000);
        back.count()
    };
    assert_eq!(in_flight(30), 0);
    let found = [31, 41, 51, 61].map(in_flight);
    for (found, fair) in found.into_iter().zip([20, 50, 100, 200]) {
        assert!(found.abs_diff(fair) <= 10 + fair / 5, "{found} of {fair}");
    }
}
