use std::sync::Arc;

use policy::fault::{Effects, Merge};
use policy::{Moment, Percent};

use super::super::rate_limit::matching::Governed;
use super::Faults;
use crate::config::Fault;
use crate::name::{PolicyRef, ServiceName};
use crate::report::{Direction, Question};
use crate::tally::increment;

const UNTIL_NS: u64 = 1_800_000_000_000_000_000;

fn drill() -> Fault {
    let policy = PolicyRef {
        kind: "FaultPolicy".into(),
        namespace: "shop".into(),
        name: "drill".into(),
        generation: 1,
    };
    Fault {
        policy: Arc::new(policy),
        share: Percent::new(5),
        matches: Vec::new(),
        delay_ns: 200_000_000,
        abort: Some(503),
        bandwidth: None,
        until_unix_ns: UNTIL_NS,
        is_shadow: false,
        reach: crate::config::Reach::default(),
        merge: Merge::PatchDefaults,
        turn: 0,
    }
}

fn faults(rules: Fault, old: Option<&Faults>) -> Faults {
    Faults::new(&[Arc::new(rules)], old)
}

fn at(unix_ns: u64) -> Moment {
    Moment { now_ns: 1, unix_ns }
}

#[test]
fn it_is_over_at_its_instant_and_not_before() {
    let faults = faults(drill(), None);
    assert!(!faults.all[0].is_over(at(UNTIL_NS - 1)));
    assert!(faults.all[0].is_over(at(UNTIL_NS)));
}

#[test]
fn it_tells_what_it_does_and_for_how_long_still() {
    let told = faults(drill(), None).all[0].tell(drill().effects(), at(UNTIL_NS - 60_000_000_000));
    assert_eq!(told, "5 % of requests wait 200ms, get 503, for another 60s");
}

#[test]
fn an_edit_goes_on_counting_and_another_policy_begins_anew() {
    let old = faults(drill(), None);
    old.all[0]
        .counts(drill().effects())
        .for_each(|(_, count)| increment(count));
    let counted = |faults: &Faults| -> Vec<u64> {
        let fault = &faults.all[0];
        let counts = fault.counts(fault.rules.effects());
        counts.map(|(_, count)| count.get()).collect()
    };
    let edited = Fault {
        delay_ns: 0,
        ..drill()
    };
    assert_eq!(counted(&faults(edited, Some(&old))), [1]);
    let mut other = drill();
    other.policy = Arc::new(PolicyRef {
        name: "other".into(),
        ..(*other.policy).clone()
    });
    assert_eq!(counted(&faults(other, Some(&old))), [0, 0]);
}

#[test]
fn only_what_aborts_every_request_is_a_refusal_foretold() {
    let whole = Fault {
        share: Percent::new(100),
        ..drill()
    };
    assert!(!faults(drill(), None).all[0].is_for_all());
    assert!(faults(whole.clone(), None).all[0].is_for_all());
    let shadow = Fault {
        is_shadow: true,
        ..whole
    };
    assert!(!faults(shadow, None).all[0].is_for_all());
}

fn named(name: &str, turn: u32, merge: Merge) -> Fault {
    let policy = Arc::new(PolicyRef {
        name: name.into(),
        ..(*drill().policy).clone()
    });
    Fault {
        policy,
        merge,
        turn,
        ..drill()
    }
}

fn standing(rules: Vec<Fault>) -> Vec<(String, Effects)> {
    let rules: Vec<_> = rules.into_iter().map(Arc::new).collect();
    let faults = Faults::new(&rules, None);
    let question = Question {
        direction: Direction::Outbound,
        service: ServiceName::new("shop", "cart"),
        method: "GET".to_owned(),
        path: "/".to_owned(),
        headers: Vec::new(),
    };
    let met = faults.met(Governed::alone(&question), at(1));
    met.map(|(fault, effects)| (fault.rules.policy.name.to_string(), effects))
        .collect()
}

#[test]
fn one_that_overrides_takes_the_place_of_the_more_specific_and_order_stays_that_of_names() {
    let broad = Fault {
        abort: None,
        ..named("a", 1, Merge::PatchOverrides)
    };
    let expected = [
        ("a".to_owned(), Effects::DELAY),
        ("b".to_owned(), Effects::ABORT),
    ];
    assert_eq!(
        standing(vec![broad, named("b", 0, Merge::PatchDefaults)]),
        expected
    );
}

#[test]
fn one_in_shadow_takes_nothing_from_those_that_act_and_leaves_them_what_is_theirs() {
    let shadow = Fault {
        is_shadow: true,
        ..named("a", 1, Merge::AtomicOverrides)
    };
    let both = drill().effects();
    let expected = [("a".to_owned(), both), ("b".to_owned(), both)];
    assert_eq!(
        standing(vec![shadow, named("b", 0, Merge::PatchDefaults)]),
        expected
    );
    let yielding = Fault {
        is_shadow: true,
        ..named("a", 1, Merge::PatchDefaults)
    };
    let expected = [("a".to_owned(), Effects::default()), ("b".to_owned(), both)];
    assert_eq!(
        standing(vec![yielding, named("b", 0, Merge::PatchDefaults)]),
        expected
    );
}

#[test]
fn one_that_is_over_takes_nothing_any_more() {
    let over = Fault {
        until_unix_ns: 1,
        ..named("a", 1, Merge::AtomicOverrides)
    };
    let expected = [("b".to_owned(), drill().effects())];
    assert_eq!(
        standing(vec![over, named("b", 0, Merge::PatchDefaults)]),
        expected
    );
}
