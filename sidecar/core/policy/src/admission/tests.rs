use super::*;

const SECOND: u64 = 1_000_000_000;
const PARAMS: Params = Params {
    success_rate: Percent::new(95),
    window_ns: 30 * SECOND,
    max_reject: Percent::new(80),
};

fn after(successes: u32, failures: u32) -> Admission {
    let mut admission = Admission::new(PARAMS);
    (0..successes).for_each(|_| admission.record(true, SECOND));
    (0..failures).for_each(|_| admission.record(false, SECOND));
    admission
}

/// The share of draws that is refused, in thousandths.
fn refused(admission: &mut Admission, now_ns: u64) -> usize {
    let draws = (0..1000).map(|part| u64::MAX / 2000 * (2 * part + 1));
    draws
        .filter(|&draw| !admission.admits(now_ns, draw))
        .count()
}

#[test]
fn nothing_is_refused_while_enough_succeed() {
    assert_eq!(refused(&mut after(0, 0), SECOND), 0);
    assert_eq!(refused(&mut after(95, 5), SECOND), 0);
}

#[test]
fn the_fewer_succeed_the_more_is_refused() {
    // (100 - 47.5 / 0.95) / 101 and so on.
    assert_eq!(refused(&mut after(94, 6), SECOND), 10);
    assert_eq!(refused(&mut after(50, 50), SECOND), 469);
}

#[test]
fn some_calls_always_go_on() {
    assert_eq!(refused(&mut after(0, 1000), SECOND), 800);
}

#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let mut admission = after(0, 1000);
    assert_eq!(refused(&mut admission, 60 * SECOND), 0);
}

#[test]
fn an_edit_keeps_what_was_counted() {
    let mut admission = after(0, 1000);
    admission.reconfigure(Params {
        max_reject: Percent::new(50),
        ..PARAMS
    });
    assert_eq!(refused(&mut admission, SECOND), 500);
}

#[test]
fn what_an_upstream_does_not_admit_is_refused_here_for_a_second() {
    let mut rate = AdmitRate::default();
    let draws = || (0..1000).map(|part| u64::MAX / 2000 * (2 * part + 1));
    let admitted =
        |rate: &AdmitRate, now_ns| draws().filter(|&draw| rate.admits(now_ns, draw)).count();
    assert_eq!(admitted(&rate, 5), 1000);
    rate.hear(Percent::new(30), 5);
    assert_eq!(admitted(&rate, 5), 300);
    assert_eq!(admitted(&rate, 4 + SECOND), 300);
    assert_eq!(admitted(&rate, 5 + SECOND), 1000);
}

#[test]
fn the_share_that_is_refused_can_be_told() {
    for (successes, failures) in [(0, 0), (95, 5), (50, 50), (0, 10)] {
        let mut admission = after(successes, failures);
        let told = admission.rejects(SECOND).millionths() as usize / 1000;
        assert!(told.abs_diff(refused(&mut admission, SECOND)) <= 1);
    }
}
