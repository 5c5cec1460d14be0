use super::*;

const fn between(enter: u32, exit: u32) -> Thresholds {
    Thresholds {
        enter: Percent::new(enter),
        exit: Percent::new(exit),
    }
}

fn observed(thresholds: Thresholds, used: &[u32]) -> Vec<bool> {
    let mut strain = Strain::default();
    let look = |&used| strain.observe(thresholds, Percent::new(used));
    used.iter().map(look).collect()
}

#[test]
fn it_begins_at_one_threshold_and_ends_below_the_other() {
    let used = [89, 90, 85, 80, 79, 85, 95];
    let strained = [false, true, true, true, false, false, true];
    assert_eq!(observed(between(90, 80), &used), strained);
}

#[test]
fn thresholds_that_are_mixed_up_are_one() {
    assert_eq!(
        observed(between(50, 80), &[60, 50, 49]),
        [true, true, false]
    );
}
