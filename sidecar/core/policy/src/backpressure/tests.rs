mod disciplines;
mod modes;
mod priorities;
mod support;

use super::*;
use support::*;

#[test]
fn as_many_run_as_may_and_the_others_wait_in_turn() {
    let mut front = front(2, 10, Mode::DropNewest);
    assert_eq!(runs(&mut front), 2);
    let waiting = [1, 2].map(|_| waits(&mut front, Arrival::default()));
    front.finish(None, 5);
    assert_eq!(events(&mut front), [Event::Runs(waiting[0])]);
    assert_eq!((front.in_flight(), front.depth()), (2, 1));
}

#[test]
fn without_a_queue_nobody_waits() {
    let mut front = Backpressure::new(Params {
        queue: None,
        ..params(1, 0, Mode::DropNewest)
    });
    assert_eq!(runs(&mut front), 1);
    let refused = Entry::Refused(Reason::ShedConcurrency);
    assert_eq!(front.arrive(&Arrival::default(), 0), refused);
}

#[test]
fn without_a_limit_everybody_runs() {
    let mut front = Backpressure::new(Params {
        concurrency: Concurrency::Unlimited,
        ..params(1, 0, Mode::DropNewest)
    });
    for _ in 0..1000 {
        assert_eq!(front.arrive(&Arrival::default(), 0), Entry::Runs);
    }
}

#[test]
fn who_leaves_while_it_waits_frees_its_place_at_once() {
    let mut front = front(1, 1, Mode::DropNewest);
    runs(&mut front);
    let first = waits(&mut front, Arrival::default());
    front.abandon(first, 0);
    let second = waits(&mut front, Arrival::default());
    front.finish(None, 0);
    assert_eq!(events(&mut front), [Event::Runs(second)]);
}

#[test]
fn a_permit_is_not_lost_when_its_new_holder_leaves_before_it_hears_of_it() {
    let mut front = front(1, 2, Mode::DropNewest);
    runs(&mut front);
    let [first, second] = [1, 2].map(|_| waits(&mut front, Arrival::default()));
    front.finish(None, 0);
    front.abandon(first, 0);
    assert_eq!(
        events(&mut front),
        [Event::Runs(first), Event::Runs(second)]
    );
    front.finish(None, 0);
    assert_eq!((front.in_flight(), front.depth()), (0, 0));
}

#[test]
fn who_cannot_meet_its_deadline_goes_before_anybody_is_called() {
    let mut front = front(1, 10, Mode::DropNewest);
    for ms in 0..20 {
        let _ = front.arrive(&Arrival::default(), ms * MS);
        front.finish(Some(10 * MS), ms * MS);
    }
    runs(&mut front);
    let late = waits(&mut front, by(35 * MS));
    let other = waits(&mut front, by(60 * MS));
    front.finish(None, 30 * MS);
    let refused = Event::Refused(late, Reason::DeadlineExhausted);
    assert_eq!(events(&mut front), [refused, Event::Runs(other)]);
}

#[test]
fn who_cannot_meet_its_deadline_makes_room_first() {
    let mut front = front(1, 1, Mode::DropNewest);
    runs(&mut front);
    let late = waits(&mut front, by(10));
    let next = front.arrive(&by(1000), 20);
    assert!(matches!(next, Entry::Waits(_)));
    let refused = Event::Refused(late, Reason::DeadlineExhausted);
    assert_eq!(events(&mut front), [refused]);
}

#[test]
fn deadlines_of_those_who_left_take_no_memory_for_long() {
    let mut front = front(1, 10, Mode::DropNewest);
    runs(&mut front);
    waits(&mut front, by(u64::MAX));
    for _ in 0..10_000 {
        let ticket = waits(&mut front, by(u64::MAX - 1));
        front.abandon(ticket, 0);
    }
    assert!(front.queue.deadlines_kept() < 100);
}

#[test]
fn an_adaptive_limit_lets_more_run_as_it_grows() {
    let adaptive = gradient::Params {
        min: 8,
        max: 512,
        tolerance: 1.5,
        smoothing: 0.2,
    };
    let mut front = Backpressure::new(Params {
        concurrency: Concurrency::Adaptive(adaptive),
        ..params(0, 1000, Mode::DropNewest)
    });
    assert_eq!(front.limit(), 20);
    for _ in 0..200 {
        let _ = front.arrive(&Arrival::default(), 0);
    }
    for ms in 1..=150 {
        front.finish(Some(10 * MS), ms * 10 * MS);
    }
    assert!(front.limit() > 22, "{}", front.limit());
    assert_eq!(front.in_flight(), front.limit());
}

#[test]
fn an_edit_calls_those_for_whom_there_is_room_now() {
    let mut front = front(1, 10, Mode::DropNewest);
    runs(&mut front);
    let waiting = [1, 2, 3].map(|_| waits(&mut front, Arrival::default()));
    front.reconfigure(params(3, 1, Mode::DropNewest), 0);
    assert_eq!(
        events(&mut front),
        [Event::Runs(waiting[0]), Event::Runs(waiting[1])]
    );
    let full = Entry::Refused(Reason::QueueFull);
    assert_eq!(front.arrive(&Arrival::default(), 0), full);
}

#[test]
fn who_is_held_waits_where_there_is_no_queue_any_more() {
    let mut front = front(1, 1, Mode::Block { for_ns: 10 });
    runs(&mut front);
    let waiting = waits(&mut front, Arrival::default());
    let Entry::Held { ticket: held, .. } = front.arrive(&Arrival::default(), 0) else {
        panic!("not held");
    };
    let one = Params {
        concurrency: Concurrency::Fixed(1),
        ..Params::NONE
    };
    front.reconfigure(one, 0);
    assert_eq!((front.depth(), front.held()), (2, 0));
    assert!(!front.expire(held), "it is not held any more");
    front.reconfigure(Params::NONE, 0);
    assert_eq!(
        events(&mut front),
        [Event::Runs(waiting), Event::Runs(held)]
    );
}
