use super::*;

const TWICE: Multiplier = Multiplier::from_thousandths(2000);

#[test]
fn the_first_wait_is_the_base() {
    assert_eq!(exponential(25, TWICE, 250, 0), 25);
}

#[test]
fn each_further_wait_is_multiplied_until_the_maximum() {
    let waits: Vec<u64> = (0..6).map(|n| exponential(25, TWICE, 250, n)).collect();
    assert_eq!(waits, [25, 50, 100, 200, 250, 250]);
}

#[test]
fn a_base_above_the_maximum_is_cut() {
    assert_eq!(exponential(300, TWICE, 250, 0), 250);
}

#[test]
fn growth_never_overflows() {
    assert_eq!(
        exponential(u64::MAX / 2, TWICE, u64::MAX, u32::MAX),
        u64::MAX
    );
}

#[test]
fn a_multiplier_of_one_ends_at_once_whatever_the_count() {
    assert_eq!(
        exponential(7, Multiplier::from_thousandths(1000), 250, u32::MAX),
        7
    );
}
