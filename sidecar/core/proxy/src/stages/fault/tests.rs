use std::sync::Arc;

use policy::{Moment, Percent};

use super::Faults;
use crate::config::Fault;
use crate::name::PolicyRef;
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
    assert!(!faults.0[0].is_over(at(UNTIL_NS - 1)));
    assert!(faults.0[0].is_over(at(UNTIL_NS)));
}

#[test]
fn it_tells_what_it_does_and_for_how_long_still() {
    let told = faults(drill(), None).0[0].tell(at(UNTIL_NS - 60_000_000_000));
    assert_eq!(told, "5 % of requests wait 200ms, get 503, for another 60s");
}

#[test]
fn an_edit_goes_on_counting_and_another_policy_begins_anew() {
    let old = faults(drill(), None);
    old.0[0].effects().for_each(|(_, count)| increment(count));
    let counted = |faults: &Faults| -> Vec<u64> {
        let effects = faults.0[0].effects();
        effects.map(|(_, count)| count.get()).collect()
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
    assert!(!faults(drill(), None).0[0].is_for_all());
    assert!(faults(whole.clone(), None).0[0].is_for_all());
    let shadow = Fault {
        is_shadow: true,
        ..whole
    };
    assert!(!faults(shadow, None).0[0].is_for_all());
}
