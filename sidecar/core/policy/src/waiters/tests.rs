use super::*;
use Criticality::{Background, Critical};

fn called(waiters: &mut Waiters<char>, class: Criticality) -> String {
    std::iter::from_fn(|| waiters.call(class))
        .map(|(_ticket, value)| value)
        .collect()
}

#[test]
fn one_flow_is_served_in_the_order_of_arrival() {
    let mut waiters = Waiters::default();
    for letter in "abc".chars() {
        waiters.join(Critical, 0, letter);
    }
    assert_eq!(called(&mut waiters, Critical), "abc");
    assert_eq!(waiters.len(), 0);
}

#[test]
fn flows_take_turns() {
    let mut waiters = Waiters::default();
    for letter in "aaaabbc".chars() {
        waiters.join(Critical, letter.into(), letter);
    }
    assert_eq!(called(&mut waiters, Critical), "abcabaa");
}

#[test]
fn a_flow_that_comes_later_waits_for_one_round_only() {
    let mut waiters = Waiters::default();
    for letter in "aaaa".chars() {
        waiters.join(Critical, 1, letter);
    }
    let _ = waiters.call(Critical);
    waiters.join(Critical, 2, 'b');
    assert_eq!(called(&mut waiters, Critical), "abaa");
}

#[test]
fn classes_do_not_see_each_other() {
    let mut waiters = Waiters::default();
    waiters.join(Critical, 0, 'a');
    waiters.join(Background, 0, 'b');
    assert_eq!((waiters.len(), waiters.len_of(Critical)), (2, 1));
    assert_eq!(waiters.first_class(), Some(Critical));
    assert_eq!(called(&mut waiters, Background), "b");
    assert_eq!(called(&mut waiters, Critical), "a");
}

#[test]
fn who_leaves_is_not_called_and_takes_nobodys_turn() {
    let mut waiters = Waiters::default();
    let tickets = "abcd".chars().map(|letter| {
        let flow = u64::from(letter) % 2;
        waiters.join(Critical, flow, letter)
    });
    let tickets: Vec<_> = tickets.collect();
    assert_eq!(waiters.leave(tickets[0]), Some('a'));
    assert_eq!(waiters.leave(tickets[0]), None);
    assert_eq!(waiters.leave(tickets[2]), Some('c'));
    assert_eq!(called(&mut waiters, Critical), "bd");
}

#[test]
fn churn_takes_no_more_memory() {
    let mut waiters = Waiters::default();
    waiters.join(Critical, 0, 'a');
    for flow in 0..1000 {
        let ticket = waiters.join(Critical, flow, 'b');
        assert_eq!(waiters.leave(ticket), Some('b'));
    }
    assert_eq!(waiters.entries.capacity(), 2);
    assert_eq!(waiters.classes[0].flows.capacity(), 2);
}

#[test]
fn the_newest_may_be_called_too_and_flows_still_take_turns() {
    let mut waiters = Waiters::default();
    for letter in "aAAb".chars() {
        waiters.join(Critical, letter.to_ascii_lowercase().into(), letter);
    }
    let mut call = || waiters.call_newest(Critical).map(|(_, letter)| letter);
    assert_eq!([call(), call(), call()], [Some('A'), Some('b'), Some('A')]);
}

#[test]
fn only_a_flow_with_more_than_one_ahead_gives_way() {
    let mut waiters = Waiters::default();
    let tickets = "aab".chars().map(|letter| (letter, u64::from(letter)));
    let tickets: Vec<_> = tickets
        .map(|(letter, flow)| waiters.join(Critical, flow, letter))
        .collect();
    assert_eq!(
        waiters.newest_of_longest(Critical, 'c'.into()),
        Some(tickets[1])
    );
    assert_eq!(waiters.newest_of_longest(Critical, 'b'.into()), None);
    assert_eq!(waiters.oldest(Critical), Some(tickets[0]));
    assert_eq!(waiters.newest(Critical), Some(tickets[2]));
    assert_eq!(waiters.get(tickets[2]), Some(&'b'));
}

#[test]
fn who_is_held_is_called_only_after_it_was_let_in() {
    let mut waiters = Waiters::default();
    let background = waiters.hold(Background, 0, 'b');
    let _critical = waiters.hold(Critical, 0, 'c');
    waiters.join(Critical, 0, 'a');
    assert_eq!((waiters.len(), waiters.held()), (1, 2));
    assert_eq!(called(&mut waiters, Critical), "a");
    assert_eq!(waiters.let_in().copied(), Some('c'));
    assert_eq!(called(&mut waiters, Critical), "c");
    assert!(waiters.is_held(background));
    assert_eq!(waiters.leave(background), Some('b'));
    assert!(!waiters.is_held(background));
    assert_eq!(waiters.let_in(), None);
}
