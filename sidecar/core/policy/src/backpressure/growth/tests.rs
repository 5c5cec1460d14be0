use super::*;

const SECOND: u64 = 1_000_000_000;

#[test]
fn the_slope_is_that_of_the_last_five_seconds() {
    let mut growth = Growth::default();
    for tenth in 10..=200_u64 {
        growth.note(tenth as u32, tenth * SECOND / 10);
    }
    let slope = growth.slope(20 * SECOND);
    assert_eq!((slope.grown, slope.in_ns), (51, 5 * SECOND));
}

#[test]
fn a_queue_that_stands_still_does_not_grow() {
    let mut growth = Growth::default();
    growth.note(500, SECOND);
    assert_eq!(growth.slope(60 * SECOND).grown, 0);
    assert_eq!(growth.slope(60 * SECOND).time_for(1), None);
}

#[test]
fn a_young_queue_was_empty_before() {
    let mut growth = Growth::default();
    growth.note(300, 11 * SECOND);
    let slope = growth.slope(11 * SECOND);
    assert_eq!((slope.grown, slope.in_ns), (300, 5 * SECOND));
    assert_eq!(slope.time_for(150), Some(5 * SECOND / 2));
}

#[test]
fn a_queue_that_drains_never_fills() {
    let mut growth = Growth::default();
    growth.note(100, 10 * SECOND);
    growth.note(50, 17 * SECOND);
    assert_eq!(growth.slope(17 * SECOND).grown, -50);
    assert_eq!(growth.slope(17 * SECOND).time_for(10), None);
}
