use super::*;
use Criticality::{Background, Critical, Default, Sheddable};

#[test]
fn the_most_important_class_is_next() {
    let mut front = front(1, 10, Mode::DropNewest);
    runs(&mut front);
    let tickets = Criticality::ALL.map(|class| (class, waits(&mut front, of(class))));
    for (_, ticket) in tickets {
        front.finish(None, 0);
        assert_eq!(events(&mut front), [Event::Runs(ticket)]);
    }
}

#[test]
fn a_full_queue_sheds_the_newest_of_the_least_important_class_first() {
    let mut front = front(1, 4, Mode::DropNewest);
    runs(&mut front);
    let [_, _, old, new] =
        [Default, Sheddable, Background, Background].map(|class| waits(&mut front, of(class)));
    waits(&mut front, of(Critical));
    waits(&mut front, of(Sheddable));
    assert_eq!(
        events(&mut front),
        [
            Event::Refused(new, Reason::ShedClass),
            Event::Refused(old, Reason::ShedClass)
        ]
    );
    assert!(is_refused(&mut front, of(Background), Reason::QueueFull));
}

#[test]
fn nobody_is_shed_for_its_like() {
    let mut front = front(1, 1, Mode::DropNewest);
    runs(&mut front);
    waits(&mut front, of(Critical));
    assert!(is_refused(&mut front, of(Critical), Reason::QueueFull));
}

#[test]
fn tenants_take_turns_and_the_longest_makes_room() {
    let mut front = front(1, 4, Mode::DropNewest);
    runs(&mut front);
    let greedy = [1; 4].map(|flow| waits(&mut front, from(flow)));
    let modest = waits(&mut front, from(2));
    let refused = Event::Refused(greedy[3], Reason::ShedFairness);
    assert_eq!(events(&mut front), [refused]);
    assert!(is_refused(&mut front, from(1), Reason::QueueFull));
    for _ in 0..3 {
        front.finish(None, 0);
    }
    let order = [greedy[0], modest, greedy[1]].map(Event::Runs);
    assert_eq!(events(&mut front), order);
}

#[test]
fn what_matters_least_is_shed_before_the_queue_is_full() {
    let mut front = Backpressure::new(Params {
        early_detection: Some(EarlyDetection {
            shed_background_below_ns: 10 * SECOND,
            shed_sheddable_below_ns: 3 * SECOND,
        }),
        ..params(1, 100, Mode::DropNewest)
    });
    runs(&mut front);
    let mut refusals = Vec::new();
    for tenth in 10..110_u64 {
        let now_ns = tenth * SECOND / 10;
        waits_at(&mut front, of(Default), now_ns);
        let class = if tenth % 2 == 0 {
            Background
        } else {
            Sheddable
        };
        if front.arrive(&of(class), now_ns) == Entry::Refused(Reason::ShedClass) {
            refusals.push((class, front.depth()));
        }
    }
    let first = |class| refusals.iter().find(|refusal| refusal.0 == class);
    let (_, background) = first(Background).unwrap();
    let (_, sheddable) = first(Sheddable).unwrap();
    assert!(background < sheddable, "{background} {sheddable}");
}
