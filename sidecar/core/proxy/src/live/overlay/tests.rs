use std::rc::Rc;
use std::sync::Arc;

use policy::route;

use crate::config::{self, RouteBackend, RouteRule, RouteSettings};
use crate::live::Cluster;
use crate::name::PolicyRef;
use crate::worker::tests::{breaker, cart, cluster, serve, worker};

/// A rule for every call, with a breaker of its own.
fn rule() -> RouteRule {
    let settings = RouteSettings {
        timeouts: None,
        retry: None,
        hedge: None,
        service_breaker: breaker(),
        admission: None,
        bulkhead: None,
        fallback: None,
        shadow: None,
    };
    RouteRule {
        route: Arc::new(PolicyRef {
            kind: "HTTPRoute".into(),
            namespace: "shop".into(),
            name: "cart".into(),
            generation: 1,
        }),
        name: "0".into(),
        ports: Vec::new(),
        matches: route::Rule {
            created_ns: None,
            route: "shop/cart".into(),
            matches: Vec::new(),
        },
        backends: vec![RouteBackend {
            service: Some(cart()),
            port: None,
            weight: 1,
            settings: Some(Arc::new(settings)),
        }],
        request_headers: None,
        response_headers: None,
        mirrors: Vec::new(),
    }
}

#[test]
fn a_service_that_another_configuration_replaces_is_let_go() {
    let worker = worker();
    let config = config::Cluster {
        routes: vec![rule()],
        ..cluster(2)
    };
    let old = Rc::downgrade(&serve(&worker, config.clone()));
    serve(&worker, config);
    assert!(old.upgrade().is_none());
}

/// The breakers of the rules that lead to the service, in their order.
fn breakers(live: &Cluster) -> Vec<*const ()> {
    let overlays = live.rules.iter().filter_map(|rule| rule.overlay(0));
    let guards = overlays.map(|cluster| cluster.breaker.clone().unwrap());
    guards.map(|guard| Rc::as_ptr(&guard).cast()).collect()
}

fn with_rules(routes: Vec<RouteRule>) -> config::Cluster {
    config::Cluster {
        routes,
        ..cluster(2)
    }
}

#[test]
fn a_rule_whose_weights_change_keeps_its_breaker() {
    let worker = worker();
    let before = serve(&worker, with_rules(vec![rule()]));
    let mut heavier = rule();
    heavier.backends[0].weight = 3;
    let after = serve(&worker, with_rules(vec![heavier]));
    assert_eq!(breakers(&before), breakers(&after));
}

#[test]
fn the_rules_of_a_route_keep_their_breaker_behind_one_that_comes_before_them() {
    let second = |first: RouteRule| {
        let own = RouteRule {
            name: "1".into(),
            ..rule()
        };
        with_rules(vec![first, own])
    };
    let elsewhere = RouteRule {
        backends: Vec::new(),
        ..rule()
    };
    for first in [rule(), elsewhere] {
        let worker = worker();
        let before = serve(&worker, with_rules(vec![rule()]));
        let after = serve(&worker, second(first));
        let kept = breakers(&before)[0];
        assert!(breakers(&after).iter().all(|guard| *guard == kept));
    }
}

#[test]
fn a_rule_of_another_route_or_that_says_something_else_has_no_breaker_of_theirs() {
    let worker = worker();
    let before = serve(&worker, with_rules(vec![rule()]));
    let mut stricter = rule();
    stricter.name = "other".into();
    let settings = stricter.backends[0].settings.as_mut().unwrap();
    let block = Arc::make_mut(settings).service_breaker.as_mut().unwrap();
    block.params.params.minimum_requests += 1;
    let after = serve(&worker, with_rules(vec![stricter.clone()]));
    assert_ne!(breakers(&before), breakers(&after));
    Arc::make_mut(&mut stricter.route).name = "cart-too".into();
    let elsewhere = serve(&worker, with_rules(vec![stricter]));
    assert_ne!(breakers(&after), breakers(&elsewhere));
}
