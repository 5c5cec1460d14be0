//! Whose turn it is to be copied, what copies take, and what is counted of them.

use super::*;
use crate::name::ServiceName;

fn config(numerator: u32, denominator: u32) -> RouteMirror {
    RouteMirror {
        service: ServiceName::new("shop", "next"),
        port: 80,
        numerator,
        denominator,
    }
}

#[test]
fn a_share_is_exact_over_any_turns() {
    let mirror = Mirror::new(&config(3, 10), &[]);
    let due: Vec<bool> = (0..100).map(|_| mirror.is_due()).collect();
    for turns in due.windows(10) {
        assert_eq!(turns.iter().filter(|is_due| **is_due).count(), 3);
    }
}

#[test]
fn all_and_none_are_shares_too() {
    let (all, none) = (
        Mirror::new(&config(1, 1), &[]),
        Mirror::new(&config(0, 100), &[]),
    );
    assert!((0..5).all(|_| all.is_due() && !none.is_due()));
}

#[test]
fn what_is_never_sent_is_counted_when_it_is_dropped() {
    let mirror = Mirror::new(&config(1, 1), &[]);
    drop(Due(SmallVec::from_iter([Rc::clone(&mirror)])));
    assert_eq!(mirror.count(Fate::Unsent), 1);
    Due(SmallVec::from_iter([Rc::clone(&mirror)])).give_up(Fate::TooLarge);
    assert_eq!(mirror.count(Fate::Unsent), 1);
    assert_eq!(mirror.count(Fate::TooLarge), 1);
}

#[test]
fn another_share_goes_on_with_the_counts() {
    let old = Mirror::new(&config(1, 1), &[]);
    old.note(Fate::Answered);
    let same = Mirror::new(&config(1, 1), &[Rc::clone(&old)]);
    assert!(Rc::ptr_eq(&old, &same));
    let other = Mirror::new(&config(1, 2), &[old]);
    assert_eq!(other.count(Fate::Answered), 1);
}

#[test]
fn copies_are_few_and_their_bodies_small_together() {
    let room = Rc::new(Room::default());
    let places: Vec<_> = (0..MOST).map(|_| Place::take(&room, 1)).collect();
    assert!(places.iter().all(Option::is_some));
    assert!(Place::take(&room, 0).is_none());
    drop(places);
    assert_eq!(room.copies(), 0);
    let large = Place::take(&room, MOST_BYTES);
    assert!(large.is_some() && Place::take(&room, 1).is_none());
}
