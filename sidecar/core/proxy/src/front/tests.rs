use std::rc::Rc;

use policy::backpressure::{Arrival, Concurrency, Discipline, Mode, Params, QueueParams};
use policy::{Percent, Reason};
use tokio::task::{LocalSet, spawn_local, yield_now};

use super::{Entry, Front, Keys, Permit, Wait};
use crate::clock::Clock;
use crate::trace::Key;

fn figures(limit: u32, capacity: u32, mode: Mode) -> Params {
    Params {
        concurrency: Concurrency::Fixed(limit),
        queue: Some(QueueParams {
            capacity,
            mode,
            discipline: Discipline::Fifo,
        }),
        early_detection: None,
    }
}

fn front(limit: u32, capacity: u32, mode: Mode) -> Rc<Front> {
    Front::new(figures(limit, capacity, mode), Clock::start())
}

fn enter(front: &Rc<Front>) -> Entry {
    front.enter(&Arrival::default(), front.clock.now_ns())
}

fn runs(front: &Rc<Front>) -> Permit {
    match enter(front) {
        Entry::Runs(permit) => permit,
        other => panic!("expected a permit, found {other:?}"),
    }
}

fn waits(front: &Rc<Front>) -> Wait {
    match enter(front) {
        Entry::Waits(wait) => wait,
        other => panic!("expected a wait, found {other:?}"),
    }
}

fn held(front: &Rc<Front>) -> Wait {
    match enter(front) {
        Entry::Held(wait, _) => wait,
        other => panic!("expected to be held, found {other:?}"),
    }
}

fn running_and_waiting(front: &Front) -> (u32, u32) {
    front.look(|machine| (machine.in_flight(), machine.depth() + machine.held()))
}

const BLOCK: Mode = Mode::Block { for_ns: 1 };

#[tokio::test]
async fn a_permit_that_is_dropped_goes_to_the_one_who_waited_longest() {
    LocalSet::new()
        .run_until(async {
            let front = front(1, 2, Mode::DropNewest);
            let running = runs(&front);
            let first = spawn_local(waits(&front));
            let second = waits(&front);
            assert!(matches!(enter(&front), Entry::Refused(Reason::QueueFull)));
            yield_now().await;
            drop(running);
            let permit = first.await.unwrap().unwrap();
            assert_eq!(running_and_waiting(&front), (1, 1));
            drop(permit);
            drop(second.await);
            assert_eq!(running_and_waiting(&front), (0, 0));
        })
        .await;
}

#[tokio::test]
async fn who_is_refused_while_waiting_is_told_and_returns_nothing() {
    let front = front(1, 1, Mode::DropOldest);
    let running = runs(&front);
    let (oldest, second) = (waits(&front), waits(&front));
    assert!(matches!(oldest.await, Err(Reason::QueueEvicted)));
    assert_eq!(running_and_waiting(&front), (1, 1));
    drop(running);
    drop(second.await.unwrap());
    assert_eq!(running_and_waiting(&front), (0, 0));
}

#[test]
fn whoever_leaves_frees_its_place_and_passes_on_a_permit_it_never_took() {
    let front = front(1, 2, Mode::DropOldest);
    let running = runs(&front);
    let (first, second) = (waits(&front), waits(&front));
    drop(running);
    assert_eq!(running_and_waiting(&front), (1, 1));
    drop(first);
    assert_eq!(running_and_waiting(&front), (1, 0));
    drop(second);
    assert_eq!(running_and_waiting(&front), (0, 0));
    let running = runs(&front);
    let (evicted, second, third) = (waits(&front), waits(&front), waits(&front));
    drop(evicted);
    assert_eq!(running_and_waiting(&front), (1, 2));
    drop((running, second, third));
    assert_eq!(running_and_waiting(&front), (0, 0));
}

#[test]
fn a_hold_expires_unless_it_has_become_a_wait() {
    let front = front(1, 1, BLOCK);
    let running = runs(&front);
    let waiting = waits(&front);
    let (mut first, mut second) = (held(&front), None);
    assert!(matches!(enter(&front), Entry::Refused(Reason::QueueFull)));
    assert!(first.expire());
    assert!(!first.expire());
    second.get_or_insert_with(|| held(&front));
    drop(running);
    assert_eq!(running_and_waiting(&front), (1, 1));
    assert!(!second.as_mut().unwrap().expire());
    drop((waiting, second));
    assert_eq!(running_and_waiting(&front), (0, 0));
}

#[test]
fn keys_are_known_as_long_as_one_of_them_holds_a_permit() {
    let front = front(3, 1, BLOCK);
    let key = Key::Trace(7);
    let keys = || Keys::from_iter([key, Key::RequestId(1)]);
    let (mut first, mut second) = (runs(&front), runs(&front));
    first.hold_for(keys);
    second.hold_for(keys);
    drop(first);
    assert!(front.is_held_by(Some(key)));
    assert!(!front.is_held_by(Some(Key::Trace(8))) && !front.is_held_by(None));
    drop(second);
    assert!(!front.is_held_by(Some(key)));
    assert!(front.holders.borrow().is_empty());
}

#[test]
fn nobody_is_noted_where_nobody_is_held() {
    let front = front(1, 1, Mode::DropNewest);
    let mut permit = runs(&front);
    permit.hold_for(|| panic!("nobody asks"));
    drop(permit);
}

#[tokio::test]
async fn an_edit_calls_those_whom_it_lets_in_and_keeps_the_rest() {
    let front = front(1, 4, Mode::DropNewest);
    let _running = runs(&front);
    let (first, second) = (waits(&front), waits(&front));
    front.reconfigure(figures(2, 4, Mode::DropNewest));
    let permit = first.await.unwrap();
    assert_eq!(running_and_waiting(&front), (2, 1));
    drop(permit);
    drop(second.await.unwrap());
}

#[test]
fn only_a_throttle_tells_a_rate() {
    let front = front(
        1,
        2,
        Mode::Throttle {
            from: Percent::new(0),
        },
    );
    let _running = runs(&front);
    let _waiting = waits(&front);
    assert!(matches!(
        enter(&front),
        Entry::Refused(Reason::QueueThrottled)
    ));
    let rate = front.admit_rate(front.clock.now_ns());
    assert_eq!(rate, Some(Percent::new(50)));
    front.reconfigure(figures(1, 2, Mode::DropNewest));
    assert_eq!(front.admit_rate(front.clock.now_ns()), None);
}

#[test]
fn foresight_changes_nothing() {
    use policy::backpressure::Entry as Verdict;
    let front = front(1, 1, Mode::DropNewest);
    let foresee = || front.foresee(&Arrival::default(), front.clock.now_ns());
    assert_eq!(foresee(), Verdict::Runs);
    let _running = runs(&front);
    assert!(matches!(foresee(), Verdict::Waits(_)));
    let _waiting = waits(&front);
    assert_eq!(foresee(), Verdict::Refused(Reason::QueueFull));
    assert_eq!(running_and_waiting(&front), (1, 1));
}
