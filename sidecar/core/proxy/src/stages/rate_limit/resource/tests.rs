use std::sync::Arc;

use policy::rate_limit::strain::{Resource, Thresholds};
use policy::{Percent, Reason};

use super::super::Asks;
use super::super::matching::Governed;
use super::super::statement::Passed;
use super::Resources;
use crate::config::{
    Exemption, LimitHeaders, LimitResponse, LimitRules, PathMatch, Reach, RequestMatch,
    ResourceLimit,
};
use crate::gauges::Gauges;
use crate::name::PolicyRef;
use crate::report::{Direction, Question};

fn request(path: &str) -> Question {
    Question {
        direction: Direction::Inbound,
        service: crate::ServiceName::new("shop", "cart"),
        method: "GET".into(),
        path: path.into(),
        headers: Vec::new(),
    }
}

fn rules(is_shadow: bool) -> LimitRules {
    let prefix = |path: &str| PathMatch::Prefix(path.into());
    let matches = RequestMatch {
        path: Some(prefix("/cart")),
        ..RequestMatch::default()
    };
    let thresholds = Thresholds {
        enter: Percent::new(90),
        exit: Percent::new(80),
    };
    LimitRules {
        policy: Arc::new(PolicyRef {
            kind: "RateLimitPolicy".into(),
            namespace: "shop".into(),
            name: "cart".into(),
            generation: 1,
        }),
        limits: Vec::new(),
        connections: Vec::new(),
        uploads: Vec::new(),
        downloads: Vec::new(),
        resources: vec![ResourceLimit {
            name: "memory".into(),
            matches: vec![matches],
            thresholds: vec![(Resource::Memory, thresholds)],
        }],
        exempt: Arc::new([Exemption::Path(prefix("/cart/healthz"))]),
        response: LimitResponse {
            status: 429,
            headers: LimitHeaders::None,
            problem: true,
        },
        is_shadow,
        reach: Reach::default(),
    }
}

fn used(resources: &Resources, percent: Option<u32>) {
    let gauges = Gauges::default();
    gauges.publish(Resource::Memory, percent.map(Percent::new));
    resources.observe(&gauges);
}

/// Asks about a request that nothing else limits.
fn refuses(resources: &Resources, path: &str) -> bool {
    let mut asks = Asks::default();
    let request = request(path);
    let found = resources.check(Governed::alone(&request), &mut asks);
    if found.is_ok() {
        asks.passed.iter().for_each(Passed::count);
    }
    found.is_err()
}

#[test]
fn requests_are_refused_from_enter_until_below_exit() {
    let resources = Resources::new(&[rules(false)], None);
    let refused = [Some(89), Some(90), Some(80), Some(79), Some(85), None].map(|percent| {
        used(&resources, percent);
        refuses(&resources, "/cart")
    });
    assert_eq!(refused, [false, true, true, false, false, false]);
}

#[test]
fn a_refusal_has_the_status_of_its_reason_and_no_time() {
    let resources = Resources::new(&[rules(false)], None);
    used(&resources, Some(95));
    let request = request("/cart");
    let refusal = resources
        .check(Governed::alone(&request), &mut Asks::default())
        .unwrap_err();
    assert_eq!(refusal.reason, Reason::RatelimitResource);
    assert_eq!((refusal.http_status(), refusal.retry_after_ns), (503, None));
}

#[test]
fn other_and_exempt_requests_pass() {
    let resources = Resources::new(&[rules(false)], None);
    used(&resources, Some(95));
    assert!(!refuses(&resources, "/other"));
    assert!(!refuses(&resources, "/cart/healthz"));
    let counts = &resources.iter().next().unwrap().stated.counts;
    assert_eq!((counts.exempt.get(), counts.limited.get()), (1, 0));
}

#[test]
fn in_shadow_it_only_says_so() {
    let resources = Resources::new(&[rules(true)], None);
    used(&resources, Some(95));
    let (request, mut asks) = (request("/cart"), Asks::default());
    let found = resources.check(Governed::alone(&request), &mut asks);
    assert!(found.is_ok());
    let would_refuse = asks.objection.unwrap().count();
    assert_eq!(would_refuse.reason, Reason::RatelimitResource);
}

#[test]
fn nothing_is_counted_as_admitted_before_all_are_asked() {
    let mut both = rules(false);
    let cpu = ResourceLimit {
        name: "cpu".into(),
        ..both.resources[0].clone()
    };
    both.resources.insert(0, cpu);
    both.resources[0].thresholds[0].0 = Resource::Cpu;
    let resources = Resources::new(&[both], None);
    used(&resources, Some(95));
    assert!(refuses(&resources, "/cart"));
    let counted = resources.iter().map(|rule| {
        let counts = &rule.stated.counts;
        (counts.allowed.get(), counts.limited.get())
    });
    assert_eq!(counted.collect::<Vec<_>>(), [(0, 0), (0, 1)]);
}

#[test]
fn an_edit_forgets_nothing() {
    let old = Resources::new(&[rules(false)], None);
    used(&old, Some(95));
    assert!(refuses(&old, "/cart"));
    let new = Resources::new(&[rules(false)], Some(&old));
    assert!(refuses(&new, "/cart"));
    assert_eq!(new.iter().next().unwrap().stated.counts.limited.get(), 2);
}
