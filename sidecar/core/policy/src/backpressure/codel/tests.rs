use super::*;

const MS: u64 = 1_000_000;
const PARAMS: Params = Params {
    target_ns: 5 * MS,
    interval_ns: 100 * MS,
};

/// The instants, in ms, at which entries that all waited so long are dropped, one entry per ms.
fn drops(waited_ns: u64, times_ms: std::ops::Range<u64>, codel: &mut Codel) -> Vec<u64> {
    times_ms
        .filter(|&ms| codel.drops(&PARAMS, waited_ns, false, ms * MS))
        .collect()
}

#[test]
fn a_short_wait_is_no_harm() {
    assert!(drops(5 * MS - 1, 0..10_000, &mut Codel::default()).is_empty());
}

#[test]
fn a_queue_that_stands_is_dropped_from_ever_faster() {
    let dropped = drops(5 * MS, 0..400, &mut Codel::default());
    assert_eq!(dropped, [100, 200, 271, 329, 379]);
}

#[test]
fn one_short_wait_ends_it() {
    let mut codel = Codel::default();
    let _ = drops(5 * MS, 0..150, &mut codel);
    assert!(codel.is_dropping());
    assert!(!codel.drops(&PARAMS, MS, false, 150 * MS));
    assert!(!codel.is_dropping());
    assert_eq!(drops(5 * MS, 151..252, &mut codel), [251]);
}

#[test]
fn a_queue_that_stands_again_soon_is_dropped_from_as_fast_as_before() {
    let mut codel = Codel::default();
    let _ = drops(5 * MS, 0..400, &mut codel);
    assert!(!codel.drops(&PARAMS, 0, false, 400 * MS));
    let dropped = drops(5 * MS, 401..600, &mut codel);
    assert_eq!(dropped, [501, 551, 596]);
}

#[test]
fn the_last_entry_is_never_dropped() {
    let mut codel = Codel::default();
    assert!((0..1000).all(|ms| !codel.drops(&PARAMS, 50 * MS, true, ms * MS)));
}

#[test]
fn an_empty_queue_does_not_stand() {
    let mut codel = Codel::default();
    assert!(!codel.drops(&PARAMS, 5 * MS, false, 0));
    codel.rest();
    assert!(!codel.drops(&PARAMS, 5 * MS, false, 500 * MS));
}
