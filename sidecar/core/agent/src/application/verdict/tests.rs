//! Looks at an application, and the verdict.

use super::*;

/// The verdicts after each look.
fn verdicts(looks: &[bool]) -> Vec<bool> {
    let mut verdict = Verdict::default();
    let mut after = |look: &bool| {
        verdict.observe(*look);
        verdict.is_fit()
    };
    looks.iter().map(&mut after).collect()
}

#[test]
fn the_first_look_decides_at_once() {
    assert_eq!(verdicts(&[false]), [false]);
    assert_eq!(verdicts(&[true]), [true]);
    assert!(Verdict::default().observe(true), "it is told");
}

#[test]
fn two_in_a_row_change_the_verdict() {
    assert_eq!(
        verdicts(&[true, false, true, false, false, true, true]),
        [true, true, true, true, false, false, true]
    );
}

#[test]
fn only_an_application_that_answers_is_left_in_peace() {
    let mut verdict = Verdict::default();
    verdict.observe(true);
    assert_eq!(verdict.rest(), FIT);
    verdict.observe(false);
    assert_eq!(verdict.rest(), SOON);
    verdict.observe(false);
    assert_eq!(verdict.rest(), SOON);
}
