//! Bounds of the delay.

use super::*;
use crate::chance;

#[test]
fn ceiling_doubles_from_100_ms_to_4_s() {
    let mut backoff = Backoff::default();
    let delays: Vec<u128> = (0..8)
        .map(|_| backoff.next(1.0, false).as_millis())
        .collect();
    assert_eq!(delays, [100, 200, 400, 800, 1600, 3200, 4000, 4000]);
}

#[test]
fn jitter_reaches_down_to_zero() {
    assert_eq!(Backoff::default().next(0.0, false), Duration::ZERO);
}

#[test]
fn only_a_push_back_waits_longer_than_4_s() {
    assert_eq!(Backoff::default().next(1.0, true), Duration::from_secs(30));
}

#[test]
fn many_failures_do_not_overflow() {
    let mut backoff = Backoff { failures: u32::MAX };
    assert_eq!(backoff.next(1.0, false), CAP);
}

#[test]
fn reset_begins_at_the_base() {
    let mut backoff = Backoff { failures: 9 };
    backoff.reset();
    assert_eq!(backoff.next(1.0, false), BASE);
}

/// The instants at which a fleet is back that lost its control plane at once, `away` ago; every try fails at once.
fn returns(fleet: usize, away: Duration) -> Vec<Duration> {
    (0..fleet)
        .map(|_| {
            let (mut backoff, mut at) = (Backoff::default(), Duration::ZERO);
            while at < away {
                at += backoff.next(chance::draw(), false);
            }
            at - away
        })
        .collect()
}

#[test]
fn a_fleet_returns_within_the_cap_and_no_quarter_of_a_second_holds_a_quarter_of_it() {
    let slice = Duration::from_millis(250);
    for seconds in [8, 60, 300] {
        let mut returns = returns(1_000, Duration::from_secs(seconds));
        returns.sort();
        assert!(returns.last().is_some_and(|last| *last <= CAP));
        for (begin, first) in returns.iter().enumerate() {
            let held = returns.partition_point(|at| *at < *first + slice) - begin;
            assert!(held <= 250, "{held} of 1000 from {first:?} on");
        }
    }
}
