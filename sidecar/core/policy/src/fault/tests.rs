use super::{Contribution, Effects, Merge, fold, turn};

const BOTH: Effects = Effects(3);

fn folded(said: &[(Option<Merge>, Effects)]) -> Vec<Effects> {
    let contribution =
        |&(merge, effects): &(Option<Merge>, Effects)| Contribution { merge, effects };
    let mut contributions: Vec<_> = said.iter().map(contribution).collect();
    fold(&mut contributions);
    contributions.iter().map(|each| each.effects).collect()
}

#[test]
fn without_a_word_all_act_beside_each_other() {
    assert_eq!(folded(&[(None, BOTH), (None, BOTH)]), [BOTH, BOTH]);
}

#[test]
fn defaults_do_what_nobody_more_specific_does() {
    let patch = Some(Merge::PatchDefaults);
    let said = [(None, Effects::DELAY), (patch, BOTH)];
    assert_eq!(folded(&said), [Effects::DELAY, Effects::ABORT]);
    let atomic = Some(Merge::AtomicDefaults);
    let said = [(None, Effects::DELAY), (atomic, BOTH)];
    assert_eq!(folded(&said), [Effects::DELAY, Effects::default()]);
}

#[test]
fn overrides_take_the_place_also_of_those_that_say_nothing_of_it() {
    let patch = Some(Merge::PatchOverrides);
    let said = [(None, BOTH), (patch, Effects::DELAY)];
    assert_eq!(folded(&said), [Effects::ABORT, Effects::DELAY]);
    let atomic = Some(Merge::AtomicOverrides);
    let said = [(None, BOTH), (atomic, Effects::DELAY)];
    assert_eq!(folded(&said), [Effects::default(), Effects::DELAY]);
}

#[test]
fn one_that_does_not_concern_the_request_takes_nothing() {
    let atomic = Some(Merge::AtomicOverrides);
    let said = [(None, BOTH), (atomic, Effects::default())];
    assert_eq!(folded(&said), [BOTH, Effects::default()]);
}

#[test]
fn defaults_come_before_overrides_of_the_same_level_and_the_older_wins() {
    let overrides = Some(Merge::PatchOverrides);
    let mut turns = [
        turn(None, 2, 1),
        turn(overrides, 3, 0),
        turn(overrides, 3, 1),
        turn(None, 3, 1),
        turn(Some(Merge::PatchDefaults), 3, 0),
    ];
    let expected = [turns[4], turns[3], turns[2], turns[1], turns[0]];
    turns.sort_unstable();
    assert_eq!(turns, expected);
}
