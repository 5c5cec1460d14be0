use super::*;

const fn moment(now_ns: u64, unix_ns: u64) -> Moment {
    Moment { now_ns, unix_ns }
}

#[test]
fn the_wall_clock_goes_on_with_the_monotonic_one() {
    let clock = WallClock::new(moment(5, 1_000));
    assert_eq!(clock.at(7), moment(7, 1_002));
}

#[test]
fn the_time_between_two_readings_moves_nothing() {
    let mut clock = WallClock::new(moment(0, 1_000_000_000));
    assert!(!clock.observe(moment(50, 1_000_900_000)));
    assert!(!clock.observe(moment(50, 999_100_000)));
    assert_eq!(clock.at(50), moment(50, 1_000_000_050));
}

#[test]
fn a_clock_that_was_set_is_followed_both_ways() {
    let mut clock = WallClock::new(moment(0, 1_000_000_000));
    assert!(clock.observe(moment(10, 5_000_000_000)));
    assert_eq!(clock.at(20), moment(20, 5_000_000_010));
    assert!(clock.observe(moment(30, 7)));
    assert_eq!(clock.at(40), moment(40, 17));
}
