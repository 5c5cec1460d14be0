use super::*;
use crate::budget::{Params, Rate};

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

fn budget(floor: u64) -> Budget {
    Budget::new(Params {
        percent: Percent::new(0),
        interval_ns: SECOND,
        floor: Rate {
            count: floor,
            per_ns: SECOND,
        },
    })
}

#[test]
fn a_share_is_taken_of_the_last_minute_once_enough_is_known() {
    let mut recent = RecentLatency::default();
    (0..19).for_each(|_| recent.record(MILLISECOND, 0));
    assert_eq!(
        After::Share(Percent::new(95)).delay_ns(&mut recent, 0),
        None
    );
    assert_eq!(After::Fixed(5).delay_ns(&mut recent, 0), Some(5));
    recent.record(100 * MILLISECOND, 0);
    let delay = |share: u32, recent: &mut RecentLatency| {
        let after = After::Share(Percent::new(share));
        after.delay_ns(recent, 0).unwrap() / MILLISECOND
    };
    assert_eq!(delay(95, &mut recent), 1);
    assert!((94..=106).contains(&delay(99, &mut recent)));
}

#[test]
fn only_safe_calls_whose_body_is_whole_are_hedged() {
    assert!(is_hedgeable(Method::Get, true));
    assert!(!is_hedgeable(Method::Get, false));
    assert!(!is_hedgeable(Method::Put, true));
}

#[test]
fn a_hedge_costs_budget() {
    let mut budget = budget(1);
    assert!(pay([], &mut budget, 0).is_some());
    assert!(pay([], &mut budget, 0).is_none());
}

#[test]
fn nothing_is_hedged_while_a_breaker_is_not_closed() {
    let mut budget = budget(1);
    for state in [State::Open, State::HalfOpen, State::ForcedOpen] {
        assert!(pay([State::Closed, state], &mut budget, 0).is_none());
    }
    let at_ease = [State::Closed, State::ForcedClosed, State::Disabled];
    assert!(pay(at_ease, &mut budget, 0).is_some());
}
