use super::*;

const MS: u64 = 1_000_000;
const FROM: Percent = Percent::new(70);

/// Of an arrival every ms for a second, at this depth of a queue of 100, that drains every tenth ms.
fn admitted(depth: u32) -> u32 {
    let mut throttle = Throttle::default();
    let admits = (1000..3000).map(|ms| {
        if ms % 10 == 0 {
            throttle.drained(ms * MS);
        }
        ms >= 2000 && throttle.admits(FROM, depth, 100, ms * MS)
    });
    admits.map(u32::from).sum()
}

#[test]
fn below_its_threshold_it_admits_everybody() {
    assert_eq!(admitted(69), 1000);
}

#[test]
fn from_its_threshold_on_it_admits_as_fast_as_the_queue_drains_and_slower_to_nothing() {
    assert!((98..=101).contains(&admitted(70)), "{}", admitted(70));
    assert!((48..=51).contains(&admitted(85)), "{}", admitted(85));
    assert_eq!(admitted(100), 0);
}

#[test]
fn a_queue_that_does_not_drain_admits_nobody_but_the_first() {
    let mut throttle = Throttle::default();
    let admits = (1..1000).filter(|&ms| throttle.admits(FROM, 70, 100, ms * MS));
    assert_eq!(admits.count(), 1);
}

#[test]
fn callers_are_told_what_share_was_admitted() {
    let mut throttle = Throttle::default();
    assert_eq!(throttle.admitted(0), None);
    for ms in 1..=10 {
        let _ = throttle.admits(FROM, 70, 100, ms * MS);
    }
    assert_eq!(throttle.admitted(10 * MS), Some(Percent::new(10)));
    assert_eq!(throttle.admitted(2000 * MS), None);
}
