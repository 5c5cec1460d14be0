use super::*;

const fn at(now_ns: u64, unix_ns: u64) -> Moment {
    Moment { now_ns, unix_ns }
}

fn seen(windows: &mut Windows, moment: Moment) -> (u64, u64, u64) {
    windows.advance(moment);
    (
        windows.number(),
        windows.elapsed(moment.now_ns),
        windows.instant_ns(1, 0),
    )
}

#[test]
fn a_window_begins_where_the_calendar_says_even_before_the_clock_did() {
    let mut windows = Windows::new(10, 1);
    assert_eq!(seen(&mut windows, at(3, 107)), (1, 7, 6));
    assert_eq!(seen(&mut windows, at(5, 109)), (1, 9, 6));
    assert_eq!(seen(&mut windows, at(6, 110)), (2, 0, 16));
    assert_eq!(seen(&mut windows, at(38, 142)), (5, 2, 46));
}

#[test]
fn a_third_of_ten_is_counted_in_thirds() {
    let mut windows = Windows::new(10, 3);
    assert_eq!(seen(&mut windows, at(3, 3)), (1, 9, 4));
    assert_eq!(seen(&mut windows, at(4, 4)), (2, 2, 7));
    assert_eq!(seen(&mut windows, at(9, 9)), (3, 7, 10));
    assert_eq!(seen(&mut windows, at(10, 10)), (4, 0, 14));
}

#[test]
fn a_window_lasts_at_least_its_length_when_the_clock_is_set() {
    let mut windows = Windows::new(10, 1);
    assert_eq!(seen(&mut windows, at(2, 2)), (1, 2, 10));
    assert_eq!(seen(&mut windows, at(3, 9)), (1, 3, 14));
    assert_eq!(seen(&mut windows, at(13, 19)), (1, 10, 14));
    assert_eq!(seen(&mut windows, at(14, 20)), (2, 0, 24));
    assert_eq!(seen(&mut windows, at(15, 1_000)), (2, 1, 25));
    assert_eq!(seen(&mut windows, at(25, 1_010)), (3, 0, 35));
    assert_eq!(seen(&mut windows, at(26, 2)), (3, 1, 44));
}

#[test]
fn a_window_lasts_from_where_the_one_before_was_left_when_the_clock_is_set_again() {
    let mut windows = Windows::new(10, 1);
    assert_eq!(seen(&mut windows, at(2, 2)), (1, 2, 10));
    assert_eq!(seen(&mut windows, at(3, 9)), (1, 3, 14));
    assert_eq!(seen(&mut windows, at(13, 21)), (2, 0, 32));
    assert_eq!(seen(&mut windows, at(32, 40)), (3, 0, 42));
    assert_eq!(seen(&mut windows, at(33, 47)), (3, 1, 46));
    assert_eq!(seen(&mut windows, at(47, 1_003)), (4, 1, 64));
}
