//! Bounds of the delay.

use super::*;

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
