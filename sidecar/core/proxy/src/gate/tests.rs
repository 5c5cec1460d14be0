use std::rc::Rc;

use policy::Criticality;
use policy::bulkhead::{NO_LANES, Params};
use tokio::task::{LocalSet, spawn_local, yield_now};

use super::{Entry, Gate, Permit, Wait};

fn params(max_concurrent: u32, max_queue: u32) -> Params {
    Params {
        max_concurrent,
        max_queue: Some(max_queue),
        queue_timeout_ns: None,
        lanes: NO_LANES,
    }
}

fn open(gate: &Rc<Gate>) -> Permit {
    match gate.enter(Criticality::Default) {
        Entry::Open(permit) => permit,
        other => panic!("expected a permit, found {other:?}"),
    }
}

fn wait(gate: &Rc<Gate>) -> Wait {
    match gate.enter(Criticality::Default) {
        Entry::Wait(wait) => wait,
        other => panic!("expected a wait, found {other:?}"),
    }
}

fn running_and_waiting(gate: &Gate) -> (u32, u32) {
    gate.look(|machine| (machine.in_flight(), machine.waiting()))
}

#[tokio::test]
async fn a_permit_that_is_dropped_goes_to_the_one_who_waited_longest() {
    LocalSet::new()
        .run_until(async {
            let gate = Gate::new(params(1, 2));
            let held = open(&gate);
            let first = spawn_local(wait(&gate));
            let second = wait(&gate);
            assert!(matches!(gate.enter(Criticality::Default), Entry::Full));
            yield_now().await;
            drop(held);
            let permit = first.await.unwrap();
            assert_eq!(running_and_waiting(&gate), (1, 1));
            drop(permit);
            drop(second.await);
            assert_eq!(running_and_waiting(&gate), (0, 0));
        })
        .await;
}

#[tokio::test]
async fn a_waiter_that_leaves_frees_its_place_at_once() {
    let gate = Gate::new(params(1, 1));
    let held = open(&gate);
    let waiting = wait(&gate);
    assert_eq!(running_and_waiting(&gate), (1, 1));
    drop(waiting);
    assert_eq!(running_and_waiting(&gate), (1, 0));
    drop(held);
    assert_eq!(running_and_waiting(&gate), (0, 0));
}

#[tokio::test]
async fn a_waiter_that_leaves_after_it_was_called_passes_the_permit_on() {
    let gate = Gate::new(params(1, 2));
    let held = open(&gate);
    let first = wait(&gate);
    let second = wait(&gate);
    drop(held);
    drop(first);
    let _permit = second.await;
    assert_eq!(running_and_waiting(&gate), (1, 0));
}

#[tokio::test]
async fn wider_figures_let_waiters_in() {
    let gate = Gate::new(params(1, 1));
    let _held = open(&gate);
    let waiting = wait(&gate);
    gate.reconfigure(params(2, 1));
    let _permit = waiting.await;
    assert_eq!(running_and_waiting(&gate), (2, 0));
}
