use super::*;

const BLOCK: Mode = Mode::Block { for_ns: SECOND };

fn held(front: &mut Backpressure) -> Ticket {
    match front.arrive(&Arrival::default(), 0) {
        Entry::Held { ticket, for_ns } => {
            assert_eq!(for_ns, SECOND);
            ticket
        }
        other => panic!("expected to be held, found {other:?}"),
    }
}

#[test]
fn a_full_queue_refuses_the_newest() {
    let mut front = front(1, 1, Mode::DropNewest);
    runs(&mut front);
    waits(&mut front, Arrival::default());
    let arrival = Arrival::default();
    assert!(is_refused(&mut front, arrival, Reason::QueueFull));
}

#[test]
fn a_full_queue_that_drops_the_oldest_takes_the_newest() {
    let mut front = front(1, 2, Mode::DropOldest);
    runs(&mut front);
    let first = waits(&mut front, Arrival::default());
    let second = waits(&mut front, Arrival::default());
    let third = waits(&mut front, Arrival::default());
    let evicted = Event::Refused(first, Reason::QueueEvicted);
    assert_eq!(events(&mut front), [evicted]);
    front.finish(None, 0);
    front.finish(None, 0);
    assert_eq!(
        events(&mut front),
        [Event::Runs(second), Event::Runs(third)]
    );
}

#[test]
fn the_oldest_of_a_higher_class_is_never_evicted() {
    let mut front = front(1, 1, Mode::DropOldest);
    runs(&mut front);
    waits(&mut front, of(Criticality::Critical));
    let arrival = of(Criticality::Default);
    assert!(is_refused(&mut front, arrival, Reason::QueueFull));
}

#[test]
fn a_full_queue_that_blocks_holds_as_many_as_it_has_places() {
    let mut front = front(1, 2, BLOCK);
    runs(&mut front);
    let [first, second] = [1, 2].map(|_| waits(&mut front, Arrival::default()));
    let [third, fourth] = [1, 2].map(|_| held(&mut front));
    let arrival = Arrival::default();
    assert!(is_refused(&mut front, arrival, Reason::QueueFull));
    front.finish(None, 0);
    assert_eq!(events(&mut front), [Event::Runs(first)]);
    assert!(!front.expire(third));
    assert!(front.expire(fourth));
    assert_eq!((front.depth(), front.held()), (2, 0));
    for _ in 0..3 {
        front.finish(None, 0);
    }
    assert_eq!(
        events(&mut front),
        [Event::Runs(second), Event::Runs(third)]
    );
}

#[test]
fn who_leaves_the_queue_lets_in_who_is_held() {
    let mut front = front(1, 1, BLOCK);
    runs(&mut front);
    let first = waits(&mut front, Arrival::default());
    let second = held(&mut front);
    front.abandon(first, 0);
    assert_eq!((front.depth(), front.held()), (1, 0));
    front.finish(None, 0);
    assert_eq!(events(&mut front), [Event::Runs(second)]);
}

#[test]
fn a_request_of_a_trace_that_runs_already_is_not_held_for_it() {
    let mut front = front(1, 1, BLOCK);
    runs(&mut front);
    waits(&mut front, Arrival::default());
    let arrival = Arrival {
        holds_permit: true,
        ..Arrival::default()
    };
    assert!(is_refused(&mut front, arrival, Reason::QueueBlocked));
}

#[test]
fn who_is_held_takes_the_places_of_those_whose_time_is_over_before_newcomers_do() {
    let mut front = front(1, 2, Mode::Block { for_ns: SECOND });
    runs(&mut front);
    for _ in 0..2 {
        waits(&mut front, by(10));
    }
    let Entry::Held { ticket, .. } = front.arrive(&Arrival::default(), 0) else {
        panic!("not held");
    };
    waits_at(&mut front, Arrival::default(), 20);
    assert_eq!((front.depth(), front.held()), (2, 0));
    assert!(!front.expire(ticket), "it waits");
    front.finish(None, 20);
    assert_eq!(events(&mut front).last(), Some(&Event::Runs(ticket)));
}

const BUFFER: Mode = Mode::Buffer {
    max_capacity: 6,
    max_bytes: 1000,
};

#[test]
fn a_buffer_doubles_up_to_its_bound() {
    let mut front = front(1, 2, BUFFER);
    runs(&mut front);
    let capacities = [1, 2, 3, 4, 5, 6].map(|_| {
        waits(&mut front, Arrival::default());
        front.capacity()
    });
    assert_eq!(capacities, [2, 2, 4, 4, 6, 6]);
    let arrival = Arrival::default();
    assert!(is_refused(&mut front, arrival, Reason::QueueFull));
}

#[test]
fn a_buffer_holds_no_more_bytes_than_it_may() {
    let large = |bytes| Arrival {
        bytes,
        ..Arrival::default()
    };
    let mut front = front(1, 6, BUFFER);
    runs(&mut front);
    let first = waits(&mut front, large(600));
    assert!(is_refused(&mut front, large(401), Reason::QueueFull));
    waits(&mut front, large(400));
    front.abandon(first, 0);
    waits(&mut front, large(600));
}

#[test]
fn a_buffer_shrinks_after_a_minute_below_a_quarter() {
    let mut front = front(1, 2, BUFFER);
    runs(&mut front);
    let waiting = [1, 2, 3, 4, 5, 6].map(|_| waits(&mut front, Arrival::default()));
    for ticket in &waiting[1..] {
        front.abandon(*ticket, SECOND);
    }
    front.finish(None, 60 * SECOND);
    assert_eq!(front.capacity(), 6);
    front.finish(None, 61 * SECOND);
    assert_eq!(front.capacity(), 3);
    front.finish(None, 121 * SECOND);
    assert_eq!(front.capacity(), 2);
    front.finish(None, 1000 * SECOND);
    assert_eq!(front.capacity(), 2);
}

#[test]
fn a_buffer_that_nobody_looks_at_shrinks_as_if_somebody_did() {
    let mut front = front(1, 1, BUFFER);
    runs(&mut front);
    let waiting = [1, 2, 3, 4, 5].map(|_| waits(&mut front, Arrival::default()));
    assert_eq!(front.capacity(), 6);
    for ticket in &waiting {
        front.abandon(*ticket, SECOND);
    }
    front.look(120 * SECOND);
    assert_eq!(front.capacity(), 3);
    front.look(300 * SECOND);
    assert_eq!(front.capacity(), 1);
}

#[test]
fn a_buffer_grows_for_want_of_places_alone() {
    let mut front = front(1, 2, BUFFER);
    runs(&mut front);
    let large = Arrival {
        bytes: 900,
        ..Arrival::default()
    };
    waits(&mut front, large);
    assert!(is_refused(&mut front, large, Reason::QueueFull));
    waits(&mut front, Arrival::default());
    assert!(is_refused(&mut front, large, Reason::QueueFull));
    assert_eq!(front.capacity(), 2);
}

#[test]
fn a_queue_that_throttles_admits_as_fast_as_it_drains() {
    let from = Percent::new(50);
    let mut front = front(1, 10, Mode::Throttle { from });
    runs(&mut front);
    for _ in 0..6 {
        waits_at(&mut front, Arrival::default(), SECOND);
    }
    let throttled = Entry::Refused(Reason::QueueThrottled);
    assert_eq!(front.arrive(&Arrival::default(), SECOND), throttled);
    front.finish(None, SECOND);
    assert_eq!(front.arrive(&Arrival::default(), SECOND), throttled);
    waits_at(&mut front, Arrival::default(), 2 * SECOND - 100 * MS);
    assert_eq!(
        front.admit_rate(2 * SECOND - 100 * MS),
        Some(Percent::from_millionths(500_000))
    );
}
