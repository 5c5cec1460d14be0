use std::rc::Rc;
use std::sync::Arc;

use policy::backpressure::{Concurrency, Params};

use super::Fronts;
use crate::clock::Clock;
use crate::config::{Backpressure, Inbound, RouteRule, Scope, ScopedBackpressure, Standing};
use crate::front::{Approach, Front};
use crate::name::{PolicyRef, ServiceName};
use crate::worker::tests::route;

fn rules(limit: u32) -> Backpressure {
    Backpressure {
        params: Params {
            concurrency: Concurrency::Fixed(limit),
            queue: None,
            early_detection: None,
        },
        classes: Vec::new(),
        fairness: Vec::new(),
        concurrency_policy: None,
        queue_policy: None,
    }
}

/// What is said of the route, or of a rule of it.
fn said(rule: Option<&str>, limit: u32) -> ScopedBackpressure {
    ScopedBackpressure {
        scope: Scope {
            route: route(),
            rule: rule.map(Into::into),
        },
        backpressure: Some(rules(limit)),
        shadow: None,
    }
}

fn cart() -> ServiceName {
    ServiceName::new("shop", "cart")
}

fn inbound(whole: Option<u32>, scoped: Vec<ScopedBackpressure>) -> Arc<Inbound> {
    Arc::new(Inbound {
        service: cart(),
        limits: Vec::new(),
        backpressure: whole.map(rules),
        shadow: None,
        routes: Vec::new(),
        scoped,
    })
}

fn stand(inbound: &Arc<Inbound>, old: &Fronts) -> Fronts {
    Fronts::new([inbound].into_iter(), Standing::Acting, old, Clock::start())
}

/// What the requests of a rule meet.
fn by<'a>(fronts: &'a Fronts, rule: &str) -> Option<&'a Approach> {
    let rule = RouteRule {
        route: route(),
        name: rule.into(),
        ports: Vec::new(),
        matches: policy::route::Rule {
            created_ns: None,
            route: "shop/api".into(),
            matches: Vec::new(),
        },
        backends: Vec::new(),
        request_headers: None,
        response_headers: None,
        mirrors: Vec::new(),
    };
    fronts.by(&cart(), &rule)
}

fn limit(approach: Option<&Approach>) -> Option<u32> {
    approach.map(|approach| approach.front.look(|machine| machine.limit()))
}

fn names(fronts: &Fronts) -> Vec<String> {
    let name = |scope: Option<&Scope>| scope.map_or_else(String::new, Scope::to_string);
    fronts.iter().map(|(_, scope, _)| name(scope)).collect()
}

#[test]
fn the_most_specific_that_is_said_of_a_request_holds() {
    let inbound = inbound(Some(1), vec![said(None, 2), said(Some("get"), 3)]);
    let fronts = stand(&inbound, &Fronts::default());
    assert_eq!(limit(by(&fronts, "get")), Some(3));
    assert_eq!(limit(by(&fronts, "put")), Some(2));
    assert_eq!(limit(fronts.at(&cart())), Some(1));
    assert_eq!(names(&fronts), ["", "shop/api", "shop/api/get"]);
}

#[test]
fn what_requests_of_a_scope_meet_is_what_is_said_of_the_fewest_that_are_all_of_them() {
    let inbound = inbound(Some(1), vec![said(None, 2), said(Some("get"), 3)]);
    let fronts = stand(&inbound, &Fronts::default());
    let under = |rule| limit(fronts.under(&cart(), &said(rule, 0).scope));
    assert_eq!(under(Some("get")), Some(3));
    assert_eq!(under(Some("put")), Some(2));
    assert_eq!(under(None), Some(2));
    let mut elsewhere = said(None, 0).scope;
    elsewhere.route = Arc::new(PolicyRef {
        name: "web".into(),
        ..(*route()).clone()
    });
    assert_eq!(limit(fronts.under(&cart(), &elsewhere)), Some(1));
}

#[test]
fn a_route_alone_leaves_others_with_nothing() {
    let inbound = inbound(None, vec![said(Some("get"), 3)]);
    let fronts = stand(&inbound, &Fronts::default());
    assert_eq!(limit(by(&fronts, "get")), Some(3));
    assert_eq!(limit(by(&fronts, "put")), None);
    assert_eq!(limit(fronts.at(&cart())), None);
}

#[test]
fn the_same_figures_are_one_front_with_whatever_is_said_of_classes() {
    let mut classes = said(Some("get"), 2);
    classes.backpressure.as_mut().unwrap().fairness = vec![crate::config::Subject::Connection];
    let inbound = inbound(Some(1), vec![said(None, 2), classes]);
    let fronts = stand(&inbound, &Fronts::default());
    let (get, put) = (by(&fronts, "get").unwrap(), by(&fronts, "put").unwrap());
    assert!(Rc::ptr_eq(&get.front, &put.front));
    assert_ne!(get.rules.fairness, put.rules.fairness);
    assert_eq!(names(&fronts), ["", "shop/api"]);
}

#[test]
fn who_runs_stays_when_other_figures_come() {
    let before = stand(&inbound(Some(1), vec![said(None, 2)]), &Fronts::default());
    let after = stand(&inbound(Some(4), vec![said(None, 5)]), &before);
    let front = |fronts: &Fronts| Rc::clone(&by(fronts, "get").unwrap().front);
    assert!(Rc::ptr_eq(&front(&before), &front(&after)));
    assert_eq!(limit(by(&after, "get")), Some(5));
}

#[test]
fn a_route_that_gets_figures_of_its_own_has_a_front_of_its_own_from_then_on() {
    let before = stand(&inbound(Some(2), vec![said(None, 2)]), &Fronts::default());
    let after = stand(&inbound(Some(2), vec![said(None, 3)]), &before);
    let whole = |fronts: &Fronts| -> Rc<Front> { Rc::clone(&fronts.at(&cart()).unwrap().front) };
    assert!(Rc::ptr_eq(
        &whole(&before),
        &by(&before, "get").unwrap().front
    ));
    assert!(Rc::ptr_eq(&whole(&before), &whole(&after)));
    assert!(!Rc::ptr_eq(
        &whole(&after),
        &by(&after, "get").unwrap().front
    ));
}

#[test]
fn a_service_at_several_ports_is_one() {
    let inbound = inbound(Some(1), vec![said(None, 2)]);
    let twice = [&inbound, &inbound].into_iter();
    let fronts = Fronts::new(twice, Standing::Acting, &Fronts::default(), Clock::start());
    assert_eq!(names(&fronts), ["", "shop/api"]);
}
