//! Who is tried when, and how a fleet spreads.

use super::*;
use crate::chance;

const ALL: [&str; 3] = ["a", "b", "c"];
/// Every draw is the largest: the order stays as it is given, the last first.
const LARGEST: fn() -> f64 = || 1.0;

fn rotation() -> Rotation<&'static str> {
    Rotation::new(ALL.to_vec(), LARGEST)
}

fn round(rotation: &mut Rotation<&'static str>) -> Vec<&'static str> {
    std::iter::from_fn(|| rotation.next()).collect()
}

#[test]
fn all_are_tried_at_once_before_there_is_a_rest() {
    let mut rotation = rotation();
    assert_eq!(round(&mut rotation), ["c", "b", "a"]);
    assert_eq!(rotation.rest(1.0), Duration::from_millis(100));
}

#[test]
fn rests_grow_from_round_to_round() {
    let mut rotation = rotation();
    let rests = (0..7).map(|_| {
        rotation.begin(ALL.to_vec(), LARGEST);
        rotation.rest(1.0).as_millis()
    });
    assert_eq!(
        rests.collect::<Vec<_>>(),
        [100, 200, 400, 800, 1600, 3200, 4000]
    );
}

#[test]
fn one_that_served_is_not_tried_before_all_others_and_a_short_rest() {
    let mut rotation = rotation();
    for _ in 0..5 {
        rotation.rest(1.0);
    }
    rotation.begin_without(&"b", ALL.to_vec(), LARGEST);
    assert_eq!(round(&mut rotation), ["c", "a"]);
    assert_eq!(rotation.rest(1.0), Duration::from_millis(100));
}

#[test]
fn a_push_back_by_one_of_a_round_lengthens_the_rest_after_it_alone() {
    let mut rotation = rotation();
    rotation.failed(true);
    rotation.failed(false);
    assert_eq!(rotation.rest(1.0), Duration::from_secs(30));
    rotation.begin(ALL.to_vec(), LARGEST);
    assert!(rotation.rest(1.0) <= Duration::from_secs(4));
}

#[test]
fn each_is_as_likely_to_be_the_first() {
    let mut first = [0; 3];
    for _ in 0..3_000 {
        let chosen = Rotation::new(vec![0, 1, 2], chance::draw).next().unwrap();
        first[chosen] += 1_usize;
    }
    assert!(
        first.iter().all(|count| (800..1_200).contains(count)),
        "{first:?}"
    );
}

#[test]
fn nobody_to_ask_is_nobody_to_try() {
    assert_eq!(Rotation::<&str>::new(Vec::new(), LARGEST).next(), None);
}
