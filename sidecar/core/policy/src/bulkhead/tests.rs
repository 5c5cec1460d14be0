use super::*;

fn bulkhead(max_concurrent: u32, max_queue: u32) -> Bulkhead {
    Bulkhead::new(Params {
        max_concurrent,
        max_queue: Some(max_queue),
        queue_timeout_ns: None,
    })
}

fn queued(bulkhead: &mut Bulkhead) -> Ticket {
    match bulkhead.acquire() {
        Arrival::Queued(ticket) => ticket,
        other => panic!("expected a place in the line, found {other:?}"),
    }
}

#[test]
fn permits_then_places_then_nothing() {
    let mut bulkhead = bulkhead(1, 1);
    assert_eq!(bulkhead.acquire(), Arrival::Acquired);
    queued(&mut bulkhead);
    assert_eq!(bulkhead.acquire(), Arrival::Full);
    assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (1, 1));
}

#[test]
fn who_waited_longest_is_next() {
    let mut bulkhead = bulkhead(1, 3);
    let _ = bulkhead.acquire();
    let waiting: Vec<_> = (0..3).map(|_| queued(&mut bulkhead)).collect();
    let served: Vec<_> = (0..3).filter_map(|_| bulkhead.release()).collect();
    assert_eq!(served, waiting);
    assert_eq!(bulkhead.release(), None);
    assert_eq!(bulkhead.in_flight(), 0);
}

#[test]
fn a_waiter_that_disconnects_frees_its_place_at_once() {
    let mut bulkhead = bulkhead(1, 2);
    let _ = bulkhead.acquire();
    let (first, second) = (queued(&mut bulkhead), queued(&mut bulkhead));
    assert_eq!(bulkhead.abandon(first), None);
    let third = queued(&mut bulkhead);
    assert_eq!(bulkhead.release(), Some(second));
    assert_eq!(bulkhead.release(), Some(third));
}

#[test]
fn a_permit_is_not_lost_when_its_new_holder_disconnects_before_it_hears_of_it() {
    let mut bulkhead = bulkhead(1, 2);
    let _ = bulkhead.acquire();
    let (first, second) = (queued(&mut bulkhead), queued(&mut bulkhead));
    assert_eq!(bulkhead.release(), Some(first));
    assert_eq!(bulkhead.abandon(first), Some(second));
    assert_eq!(bulkhead.abandon(second), None);
    assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (0, 0));
}

#[test]
fn a_place_used_again_is_not_mistaken_for_its_old_holder() {
    let mut bulkhead = bulkhead(1, 1);
    let _ = bulkhead.acquire();
    let first = queued(&mut bulkhead);
    assert_eq!(bulkhead.release(), Some(first));
    let second = queued(&mut bulkhead);
    assert_eq!(bulkhead.abandon(first), Some(second));
}

#[test]
fn churn_behind_a_standing_waiter_takes_no_more_memory() {
    let mut bulkhead = bulkhead(1, 4);
    let _ = bulkhead.acquire();
    queued(&mut bulkhead);
    for _ in 0..1000 {
        let ticket = queued(&mut bulkhead);
        assert_eq!(bulkhead.abandon(ticket), None);
    }
    assert_eq!(bulkhead.line.capacity(), 2);
}

#[test]
fn as_many_may_wait_as_run_unless_told_otherwise() {
    let params = Params {
        max_concurrent: 7,
        max_queue: None,
        queue_timeout_ns: None,
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
    let _ = bulkhead.acquire();
    let first = queued(&mut bulkhead);
    bulkhead.reconfigure(Params {
        max_concurrent: 2,
        ..*bulkhead.params()
    });
    let second = queued(&mut bulkhead);
    assert_eq!(bulkhead.admit_next(), Some(first));
    assert_eq!(bulkhead.admit_next(), None);
    assert_eq!(bulkhead.release(), Some(second));
}

#[test]
fn a_narrower_bulkhead_admits_nobody_until_it_is_below_its_bound() {
    let mut bulkhead = bulkhead(2, 4);
    let _ = (bulkhead.acquire(), bulkhead.acquire());
    let waiting = queued(&mut bulkhead);
    bulkhead.reconfigure(Params {
        max_concurrent: 1,
        ..*bulkhead.params()
    });
    assert_eq!(bulkhead.release(), None);
    assert_eq!(bulkhead.release(), Some(waiting));
}
