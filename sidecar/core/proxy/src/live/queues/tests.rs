use std::rc::Rc;
use std::sync::Arc;

use policy::bulkhead::{NO_LANES, Params};
use policy::{Criticality, Percent};

use crate::config::{
    self, Block, Bulkhead, Config, RouteBackend, RouteRule, RouteSettings, Scope, ServiceName,
};
use crate::gate::{Entry, Gate};
use crate::worker::Worker;
use crate::worker::tests::{block, cart, cluster, route, worker};

fn next() -> ServiceName {
    ServiceName::new("shop", "next")
}

fn scope(rule: Option<&str>) -> Scope {
    Scope {
        route: route(),
        rule: rule.map(Into::into),
    }
}

/// One at once, and so many in line.
fn bulkhead(line: u32) -> Option<Block<Bulkhead>> {
    block(Bulkhead {
        params: Params {
            max_concurrent: 1,
            max_queue: Some(line),
            queue_timeout_ns: None,
            lanes: NO_LANES,
        },
        shared: None,
    })
}

/// To a service, with so long a line of the rule's own if it has one.
fn backend(service: ServiceName, weight: u32, line: Option<u32>) -> RouteBackend {
    let settings = |line| RouteSettings {
        timeouts: None,
        retry: None,
        hedge: None,
        service_breaker: None,
        admission: None,
        bulkhead: bulkhead(line),
        fallback: None,
        shadow: None,
    };
    RouteBackend {
        service: Some(service),
        port: None,
        weight,
        settings: line.map(settings).map(Arc::new),
    }
}

fn rule(name: &str, backends: Vec<RouteBackend>) -> RouteRule {
    RouteRule {
        route: route(),
        name: name.into(),
        ports: Vec::new(),
        matches: policy::route::Rule {
            created_ns: None,
            route: "shop/api".into(),
            matches: Vec::new(),
        },
        backends,
        request_headers: None,
        response_headers: None,
        mirrors: Vec::new(),
    }
}

/// Calls of `shop/cart`, whose line has ten places, by rules that go there and to `shop/next`, whose line has two.
fn serving(rules: Vec<RouteRule>) -> Rc<Worker> {
    let worker = worker();
    let called = config::Cluster {
        bulkhead: bulkhead(10),
        routes: rules,
        ..cluster(1)
    };
    let beside = config::Cluster {
        service: next(),
        bulkhead: bulkhead(2),
        ..cluster(1)
    };
    let mut config = Config::default();
    config.clusters.insert(cart(), Arc::new(called));
    config.clusters.insert(next(), Arc::new(beside));
    worker.apply(Arc::new(config));
    worker
}

/// How much of what calls of a scope may wait in is taken.
fn used(worker: &Worker, scope: Option<&Scope>) -> Option<Percent> {
    let live = worker.live.borrow();
    live.queue_used(&live.clusters[&cart()], scope)
}

/// Takes the only permit, and so many places in line.
fn fill(gate: &Rc<Gate>, waiting: u32) -> Vec<Entry> {
    (0..=waiting)
        .map(|_| gate.enter(Criticality::Default))
        .collect()
}

/// The line of a rule's own.
fn own(worker: &Worker, place: usize) -> Rc<Gate> {
    let live = worker.live.borrow();
    let rule = live.clusters[&cart()].rules.iter().nth(place).cloned();
    let cluster = rule.and_then(|rule| rule.overlay(0));
    cluster
        .and_then(|cluster| cluster.bulkhead.clone())
        .unwrap()
}

#[tokio::test]
async fn a_limit_of_a_route_follows_the_lines_of_its_calls_and_no_other() {
    let worker = serving(vec![
        rule("own", vec![backend(cart(), 1, Some(4))]),
        rule("all", vec![backend(cart(), 1, None)]),
    ]);
    let held = fill(&own(&worker, 0), 2);
    let of = |rule| used(&worker, Some(&scope(rule)));
    assert_eq!(of(Some("own")), Some(Percent::new(50)));
    assert_eq!(of(Some("all")), Some(Percent::new(0)));
    assert_eq!(used(&worker, None), Some(Percent::new(0)));
    // Two of four, and none of ten.
    assert_eq!(of(None), Percent::of_part(2, 14));
    drop(held);
    assert_eq!(of(Some("own")), Some(Percent::new(0)));
}

#[tokio::test]
async fn a_limit_of_a_route_that_leads_elsewhere_follows_the_line_there() {
    let worker = serving(vec![rule(
        "leads",
        vec![backend(next(), 1, None), backend(cart(), 0, None)],
    )]);
    let gate = |name: &ServiceName| {
        let live = worker.live.borrow();
        live.clusters[name].bulkhead.clone().unwrap()
    };
    let held = (fill(&gate(&next()), 1), fill(&gate(&cart()), 10));
    let of_route = used(&worker, Some(&scope(None)));
    assert_eq!(of_route, Some(Percent::new(50)));
    assert_eq!(used(&worker, None), Some(Percent::new(100)));
    drop(held);
}

#[tokio::test]
async fn calls_that_wait_nowhere_move_no_limit() {
    let worker = serving(Vec::new());
    assert_eq!(used(&worker, Some(&scope(None))), None);
}
