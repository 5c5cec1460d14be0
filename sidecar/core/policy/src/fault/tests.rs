use super::{Contribution, Effects, Merge, fold, turn};

const BOTH: Effects = Effects(3);

fn folded(said: &[(Merge, Effects)]) -> Vec<Effects> {
    let contribution = |&(merge, effects): &(Merge, Effects)| Contribution { merge, effects };
    let mut contributions: Vec<_> = said.iter().map(contribution).collect();
    fold(&mut contributions);
    contributions.iter().map(|each| each.effects).collect()
}

#[test]
fn defaults_do_what_nobody_more_specific_does() {
    let patch = Merge::PatchDefaults;
    let said = [(Merge::PatchDefaults, Effects::DELAY), (patch, BOTH)];
    assert_eq!(folded(&said), [Effects::DELAY, Effects::ABORT]);
    let atomic = Merge::AtomicDefaults;
    let said = [(Merge::PatchDefaults, Effects::DELAY), (atomic, BOTH)];
    assert_eq!(folded(&said), [Effects::DELAY, Effects::default()]);
}

#[test]
fn overrides_take_the_place_of_those_that_are_more_specific() {
    let patch = Merge::PatchOverrides;
    let said = [(Merge::PatchDefaults, BOTH), (patch, Effects::DELAY)];
    assert_eq!(folded(&said), [Effects::ABORT, Effects::DELAY]);
    let atomic = Merge::AtomicOverrides;
    let said = [(Merge::PatchDefaults, BOTH), (atomic, Effects::DELAY)];
    assert_eq!(folded(&said), [Effects::default(), Effects::DELAY]);
}

#[test]
fn one_that_does_not_concern_the_request_takes_nothing() {
    let atomic = Merge::AtomicOverrides;
    let said = [(Merge::PatchDefaults, BOTH), (atomic, Effects::default())];
    assert_eq!(folded(&said), [BOTH, Effects::default()]);
}

#[test]
fn defaults_come_before_overrides_of_the_same_level_and_the_older_wins() {
    let overrides = Merge::PatchOverrides;
    let mut turns = [
        turn(Merge::PatchDefaults, 2, 1),
        turn(overrides, 3, 0),
        turn(overrides, 3, 1),
        turn(Merge::PatchDefaults, 3, 1),
        turn(Merge::PatchDefaults, 3, 0),
    ];
    let expected = [turns[4], turns[3], turns[2], turns[1], turns[0]];
    turns.sort_unstable();
    assert_eq!(turns, expected);
}
