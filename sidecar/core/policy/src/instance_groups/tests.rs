use super::*;

const fn size(ready: u32, total: u32) -> Size {
    Size { ready, total }
}

const BELOW_20: Overflow = Overflow::WhenBelow(Percent::new(20));

#[test]
fn a_group_with_enough_endpoints_keeps_to_itself() {
    let sizes = [size(1, 5), size(9, 9)];
    for overflow in [Overflow::Never, Overflow::WhenEmpty, BELOW_20] {
        assert_eq!(overflow.reach(&sizes, 0), 0..=0);
    }
}

#[test]
fn an_empty_group_spills_into_the_next_that_is_not() {
    let sizes = [size(0, 5), size(0, 3), size(2, 2), size(4, 4)];
    assert_eq!(Overflow::WhenEmpty.reach(&sizes, 0), 0..=2);
    assert_eq!(Overflow::Never.reach(&sizes, 0), 0..=0);
}

#[test]
fn a_group_below_its_share_takes_as_many_others_along_as_it_needs() {
    let sizes = [size(1, 10), size(1, 10), size(5, 10)];
    assert_eq!(BELOW_20.reach(&sizes, 0), 0..=2);
    assert_eq!(BELOW_20.reach(&[size(2, 10), size(9, 9)], 0), 0..=0);
    assert_eq!(BELOW_20.reach(&[size(0, 0), size(9, 9)], 0), 0..=1);
}

#[test]
fn nobody_spills_into_an_earlier_group() {
    let sizes = [size(5, 5), size(0, 3)];
    for overflow in [Overflow::Never, Overflow::WhenEmpty, BELOW_20] {
        assert_eq!(overflow.reach(&sizes, 1), 1..=1);
    }
}

#[test]
fn when_all_are_empty_all_are_reached() {
    assert_eq!(Overflow::WhenEmpty.reach(&[size(0, 1); 3], 0), 0..=2);
}

#[test]
fn a_group_that_empties_is_told_once_and_so_is_its_return() {
    let mut watch = Watch::default();
    let seen = [1, 0, 0, 2, 3, 0].map(|ready| watch.observe(size(ready, 3)));
    let (emptied, refilled) = (Some(Change::Emptied), Some(Change::Refilled));
    assert_eq!(seen, [None, emptied, None, refilled, None, emptied]);
}

#[test]
fn a_group_that_never_had_an_endpoint_is_told() {
    assert_eq!(Watch::default().observe(size(0, 0)), Some(Change::Emptied));
}
