use policy::Percent;
use policy::admission::Params;
use policy::ending::Ending;

use super::{Restraint, has_succeeded};
use crate::chance::Chance;

const SECOND: u64 = 1_000_000_000;

fn passed(restraint: &Restraint, endpoints: usize, now_ns: u64) -> usize {
    let chance = Chance::from_seed(7);
    let calls = (0..1000).filter(|_| restraint.is_within_rates(endpoints, &chance, now_ns));
    calls.count()
}

#[test]
fn the_share_of_each_endpoint_counts_for_its_part_of_the_calls() {
    let mut restraint = Restraint::default();
    assert_eq!(passed(&restraint, 2, SECOND), 1000);
    restraint.hear(1, Percent::new(0), SECOND);
    assert_eq!(passed(&restraint, 1, SECOND), 0);
    assert!((400..600).contains(&passed(&restraint, 2, SECOND)));
    restraint.hear(2, Percent::new(0), SECOND);
    assert_eq!(passed(&restraint, 2, SECOND), 0);
}

#[test]
fn a_share_holds_for_a_second_and_the_latest_counts() {
    let mut restraint = Restraint::default();
    restraint.hear(1, Percent::new(0), SECOND);
    assert_eq!(passed(&restraint, 1, 2 * SECOND - 1), 0);
    assert_eq!(passed(&restraint, 1, 2 * SECOND), 1000);
    restraint.hear(2, Percent::new(0), 2 * SECOND);
    assert_eq!(restraint.rates.len(), 1);
    restraint.hear(2, Percent::new(100), 2 * SECOND);
    assert_eq!(passed(&restraint, 1, 2 * SECOND), 1000);
}

#[test]
fn what_is_counted_goes_with_the_figures() {
    let params = Params {
        success_rate: Percent::new(100),
        window_ns: SECOND,
        max_reject: Percent::new(100),
    };
    let mut restraint = Restraint::default();
    restraint.record(false, SECOND);
    restraint.reconfigure(Some(params));
    (0..100).for_each(|_| restraint.record(false, SECOND));
    let admits = |restraint: &mut Restraint| {
        let control = restraint.control.as_mut().unwrap();
        control.admits(SECOND, u64::MAX / 2)
    };
    assert!(!admits(&mut restraint));
    restraint.reconfigure(Some(params));
    assert!(!admits(&mut restraint));
    restraint.reconfigure(None);
    restraint.reconfigure(Some(params));
    assert!(admits(&mut restraint));
}

#[test]
fn a_request_succeeded_failed_or_says_nothing() {
    let answer = Ending::Response {
        status: 200,
        code: None,
    };
    let refused = |elsewhere| Ending::PeerRefusal { elsewhere };
    assert_eq!(has_succeeded(&answer, false), Some(true));
    assert_eq!(has_succeeded(&answer, true), Some(false));
    assert_eq!(has_succeeded(&refused(true), false), Some(false));
    assert_eq!(has_succeeded(&refused(false), false), None);
    assert_eq!(has_succeeded(&Ending::ConnectFailure, true), Some(false));
    assert_eq!(has_succeeded(&Ending::ClientLeft, false), None);
}
