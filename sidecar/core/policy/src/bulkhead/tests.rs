use super::*;

fn bulkhead(max_concurrent: u32, max_queue: u32) -> Bulkhead {
    Bulkhead::new(Params {
        max_concurrent,
        max_queue: Some(max_queue),
        queue_timeout_ns: None,
        lanes: NO_LANES,
    })
}

fn queued(bulkhead: &mut Bulkhead) -> Ticket {
    match bulkhead.acquire(Claim::default()) {
        Arrival::Queued(ticket) => ticket,
        other => panic!("expected a place in the line, found {other:?}"),
    }
}

#[test]
fn permits_then_places_then_nothing() {
    let mut bulkhead = bulkhead(1, 1);
    assert_eq!(bulkhead.acquire(Claim::default()), Arrival::Acquired);
    queued(&mut bulkhead);
    assert_eq!(bulkhead.acquire(Claim::default()), Arrival::Full);
    assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (1, 1));
}

#[test]
fn who_waited_longest_is_next() {
    let mut bulkhead = bulkhead(1, 3);
    let _ = bulkhead.acquire(Claim::default());
    let waiting: Vec<_> = (0..3).map(|_| queued(&mut bulkhead)).collect();
    let served: Vec<_> = (0..3)
        .filter_map(|_| bulkhead.release(Criticality::Default))
        .collect();
    assert_eq!(served, waiting);
    assert_eq!(bulkhead.release(Criticality::Default), None);
    assert_eq!(bulkhead.in_flight(), 0);
}

#[test]
fn a_waiter_that_disconnects_frees_its_place_at_once() {
    let mut bulkhead = bulkhead(1, 2);
    let _ = bulkhead.acquire(Claim::default());
    let (first, second) = (queued(&mut bulkhead), queued(&mut bulkhead));
    assert_eq!(bulkhead.abandon(first, Criticality::Default), None);
    let third = queued(&mut bulkhead);
    assert_eq!(bulkhead.release(Criticality::Default), Some(second));
    assert_eq!(bulkhead.release(Criticality::Default), Some(third));
}

#[test]
fn a_permit_is_not_lost_when_its_new_holder_disconnects_before_it_hears_of_it() {
    let mut bulkhead = bulkhead(1, 2);
    let _ = bulkhead.acquire(Claim::default());
    let (first, second) = (queued(&mut bulkhead), queued(&mut bulkhead));
    assert_eq!(bulkhead.release(Criticality::Default), Some(first));
    assert_eq!(bulkhead.abandon(first, Criticality::Default), Some(second));
    assert_eq!(bulkhead.abandon(second, Criticality::Default), None);
    assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (0, 0));
}

#[test]
fn a_place_used_again_is_not_mistaken_for_its_old_holder() {
    let mut bulkhead = bulkhead(1, 1);
    let _ = bulkhead.acquire(Claim::default());
    let first = queued(&mut bulkhead);
    assert_eq!(bulkhead.release(Criticality::Default), Some(first));
    let second = queued(&mut bulkhead);
    assert_eq!(bulkhead.abandon(first, Criticality::Default), Some(second));
}

#[test]
fn as_many_may_wait_as_run_unless_told_otherwise() {
    let params = Params {
        max_concurrent: 7,
        max_queue: None,
        queue_timeout_ns: None,
        lanes: NO_LANES,
    };
    assert_eq!(Bulkhead::new(params).queue_capacity(), 7);
}

#[test]
fn the_default_wait_is_a_quarter_of_the_time_left_and_at_most_a_second() {
    let bulkhead = bulkhead(1, 1);
    assert_eq!(bulkhead.queue_timeout_ns(Some(1_000_000)), 250_000);
    assert_eq!(
        bulkhead.queue_timeout_ns(Some(60_000_000_000)),
        1_000_000_000
    );
    assert_eq!(bulkhead.queue_timeout_ns(None), 1_000_000_000);
}

#[test]
fn a_wider_bulkhead_admits_those_who_wait_before_new_arrivals() {
    let mut bulkhead = bulkhead(1, 4);
    let _ = bulkhead.acquire(Claim::default());
    let first = queued(&mut bulkhead);
    bulkhead.reconfigure(Params {
        max_concurrent: 2,
        ..*bulkhead.params()
    });
    let second = queued(&mut bulkhead);
    assert_eq!(bulkhead.admit_next(), Some(first));
    assert_eq!(bulkhead.admit_next(), None);
    assert_eq!(bulkhead.release(Criticality::Default), Some(second));
}

#[test]
fn a_narrower_bulkhead_admits_nobody_until_it_is_below_its_bound() {
    let mut bulkhead = bulkhead(2, 4);
    let _ = (
        bulkhead.acquire(Claim::default()),
        bulkhead.acquire(Claim::default()),
    );
    let waiting = queued(&mut bulkhead);
    bulkhead.reconfigure(Params {
        max_concurrent: 1,
        ..*bulkhead.params()
    });
    assert_eq!(bulkhead.release(Criticality::Default), None);
    assert_eq!(bulkhead.release(Criticality::Default), Some(waiting));
}

fn with_lane(class: Criticality, percent: u32) -> Bulkhead {
    let mut lanes = NO_LANES;
    lanes[class.index()] = Percent::new(percent);
    Bulkhead::new(Params {
        lanes,
        ..*bulkhead(4, 10).params()
    })
}

fn queued_of(bulkhead: &mut Bulkhead, class: Criticality, flow: Flow) -> Ticket {
    match bulkhead.acquire(Claim { class, flow }) {
        Arrival::Queued(ticket) => ticket,
        other => panic!("expected a place in the line, found {other:?}"),
    }
}

#[test]
fn a_lane_that_is_not_used_is_lent_to_others() {
    let mut bulkhead = with_lane(Criticality::Critical, 50);
    for _ in 0..4 {
        assert_eq!(bulkhead.acquire(Claim::default()), Arrival::Acquired);
    }
    assert_eq!(bulkhead.running(Criticality::Default), 4);
}

#[test]
fn a_freed_permit_goes_to_a_class_below_its_share_and_then_to_who_came_first() {
    let mut bulkhead = with_lane(Criticality::Background, 50);
    for _ in 0..4 {
        let _ = bulkhead.acquire(Claim::default());
    }
    let first = queued_of(&mut bulkhead, Criticality::Critical, 0);
    let owed = [0; 3].map(|flow| queued_of(&mut bulkhead, Criticality::Background, flow));
    let order = [0; 4].map(|_| bulkhead.release(Criticality::Default));
    assert_eq!(
        order,
        [Some(owed[0]), Some(owed[1]), Some(first), Some(owed[2])]
    );
}

#[test]
fn a_small_lane_is_not_rounded_to_nothing() {
    let mut bulkhead = with_lane(Criticality::Critical, 1);
    for _ in 0..4 {
        let _ = bulkhead.acquire(Claim::default());
    }
    let _first = queued_of(&mut bulkhead, Criticality::Default, 0);
    let owed = queued_of(&mut bulkhead, Criticality::Critical, 0);
    assert_eq!(bulkhead.release(Criticality::Default), Some(owed));
}

#[test]
fn of_several_classes_below_their_share_the_most_important_is_next() {
    let mut bulkhead = Bulkhead::new(Params {
        lanes: [Percent::new(25); CLASSES],
        ..*bulkhead(1, 10).params()
    });
    let _ = bulkhead.acquire(Claim::default());
    let tickets = Criticality::ALL
        .into_iter()
        .rev()
        .map(|class| queued_of(&mut bulkhead, class, 0));
    let tickets: Vec<_> = tickets.collect();
    assert_eq!(bulkhead.release(Criticality::Default), Some(tickets[3]));
}

#[test]
fn flows_take_turns_at_a_pool() {
    let mut bulkhead = bulkhead(1, 10);
    let _ = bulkhead.acquire(Claim::default());
    let busy = [1; 3].map(|flow| queued_of(&mut bulkhead, Criticality::Default, flow));
    let quiet = queued_of(&mut bulkhead, Criticality::Default, 2);
    let order = [0; 4].map(|_| bulkhead.release(Criticality::Default));
    assert_eq!(
        order,
        [Some(busy[0]), Some(quiet), Some(busy[1]), Some(busy[2])]
    );
}
