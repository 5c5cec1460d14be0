use std::rc::Rc;

use policy::backpressure::{Arrival, Concurrency, Discipline, Mode, Params, QueueParams};
use policy::{Criticality, Reason};

use super::{Shadow, enter};
use crate::clock::Clock;
use crate::config::Backpressure;
use crate::front::{Approach, Front, Keys};
use crate::stages::Refusal;

fn approach(capacity: u32, mode: Mode) -> Approach {
    let rules = Backpressure {
        params: Params {
            concurrency: Concurrency::Fixed(1),
            queue: Some(QueueParams {
                capacity,
                mode,
                discipline: Discipline::Fifo,
            }),
            early_detection: None,
        },
        classes: Vec::new(),
        fairness: Vec::new(),
        concurrency_policy: None,
        queue_policy: None,
    };
    Approach {
        front: Front::new(rules.params, Clock::start()),
        rules: Rc::new(rules),
    }
}

fn arrive(approach: &Approach) -> Result<Shadow, Refusal> {
    enter(approach, &Arrival::default(), Keys::new, 0)
}

fn reason(refusal: Option<Refusal>) -> Option<Reason> {
    refusal.map(|refusal| refusal.reason)
}

fn running_and_waiting(front: &Front) -> (u32, u32) {
    front.look(|machine| (machine.in_flight(), machine.depth() + machine.held()))
}

#[test]
fn who_would_run_or_wait_leaves_with_nothing_to_tell_and_everything_back() {
    let stand = approach(1, Mode::DropNewest);
    let (first, second) = (arrive(&stand).unwrap(), arrive(&stand).unwrap());
    assert_eq!(reason(arrive(&stand).err()), Some(Reason::QueueFull));
    assert_eq!(running_and_waiting(&stand.front), (1, 1));
    assert_eq!(reason(first.leave(Some(1), 1)), None);
    assert_eq!(running_and_waiting(&stand.front), (1, 0));
    assert_eq!(reason(second.leave(Some(1), 1)), None);
    assert_eq!(running_and_waiting(&stand.front), (0, 0));
    assert_eq!(stand.front.counts.admitted(Criticality::Default), 2);
}

#[test]
fn who_would_have_been_evicted_tells_so_in_the_end() {
    let stand = approach(1, Mode::DropOldest);
    let [first, second, third] = [(); 3].map(|()| arrive(&stand).unwrap());
    assert_eq!(reason(second.leave(None, 1)), Some(Reason::QueueEvicted));
    drop((first, third));
    assert_eq!(running_and_waiting(&stand.front), (0, 0));
    let mut shed = Vec::new();
    stand
        .front
        .counts
        .visit_shed(|_, reason, count| shed.push((reason, count)));
    assert_eq!(shed, [(Reason::QueueEvicted, 1)]);
}

#[test]
fn who_would_have_been_held_for_too_long_tells_so_in_the_end() {
    let stand = approach(1, Mode::Block { for_ns: 10 });
    let [first, second, early] = [(); 3].map(|()| arrive(&stand).unwrap());
    assert_eq!(reason(early.leave(None, 9)), None);
    let late = arrive(&stand).unwrap();
    assert_eq!(reason(late.leave(None, 10)), Some(Reason::QueueBlocked));
    drop((first, second));
    assert_eq!(running_and_waiting(&stand.front), (0, 0));
}
