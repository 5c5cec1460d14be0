use super::*;

const TENTH: u64 = SECOND / 10;

fn leak(queue: u32, max_wait_ns: u64, evict: Evict) -> Limiter {
    Limiter::new(params(Algorithm::LeakyBucket(Leak {
        rate: Rate::new(10, SECOND),
        queue,
        max_wait_ns,
        evict,
    })))
}

fn enter(limits: &mut [Limiter], now_ns: u64) -> (Ask, Verdict) {
    let mut asks = [Ask::new(0, None, 1)];
    let verdict = admit(limits, &mut asks, &arrival(at(now_ns)));
    (asks[0], verdict)
}

fn until(limits: &mut [Limiter], ask: &mut Ask, now_ns: u64) -> Option<u64> {
    match limits[0].standing(ask, at(now_ns)) {
        Standing::Waits { until_ns } => Some(until_ns),
        Standing::Free => None,
        Standing::Evicted => panic!("expected one who waits"),
    }
}

#[test]
fn without_places_it_is_a_meter() {
    let mut limits = [leak(0, SECOND, Evict::Newest)];
    assert_eq!(ask(&mut limits, None, 3, 0), AT_ONCE);
    assert_eq!(ask(&mut limits, None, 1, 0), refused(0, 3 * TENTH));
    assert_eq!(ask(&mut limits, None, 1, 3 * TENTH - 1), refused(0, 1));
    assert_eq!(ask(&mut limits, None, 1, 3 * TENTH), AT_ONCE);
}

#[test]
fn the_first_leaves_at_once_and_the_others_one_by_one() {
    let mut limits = [leak(2, SECOND, Evict::Newest)];
    assert_eq!(enter(&mut limits, 0).1, AT_ONCE);
    assert_eq!(enter(&mut limits, 0).1, waits(TENTH));
    assert_eq!(enter(&mut limits, 0).1, waits(2 * TENTH));
    assert_eq!(enter(&mut limits, 0).1, refused(0, TENTH));
    assert_eq!(enter(&mut limits, TENTH).1, waits(2 * TENTH));
}

#[test]
fn nobody_waits_longer_than_allowed_or_than_its_deadline() {
    let mut limits = [leak(10, 2 * TENTH, Evict::Newest)];
    for _ in 0..3 {
        let _ = enter(&mut limits, 0);
    }
    assert_eq!(enter(&mut limits, 0).1, refused(0, TENTH));
    let hurried = Arrival {
        left_ns: Some(TENTH),
        ..arrival(at(TENTH))
    };
    let verdict = admit(&mut limits, &mut [Ask::new(0, None, 1)], &hurried);
    assert_eq!(verdict, refused(0, TENTH));
}

#[test]
fn who_leaves_lets_those_behind_move_up() {
    let mut limits = [leak(3, SECOND, Evict::Newest)];
    let _ = enter(&mut limits, 0);
    let [mut first, mut second, mut third] = [0; 3].map(|now_ns| enter(&mut limits, now_ns).0);
    limits[0].refund(&mut second, at(1));
    assert!(limits[0].take_stir());
    assert_eq!(until(&mut limits, &mut first, 1), Some(TENTH));
    assert_eq!(until(&mut limits, &mut third, 1), Some(2 * TENTH));
    assert_eq!(enter(&mut limits, 1).1, waits(3 * TENTH - 1));
    limits[0].refund(&mut second, at(1));
    assert!(!limits[0].take_stir());
}

#[test]
fn the_first_in_line_who_leaves_makes_nobody_leave_too_soon() {
    let mut limits = [leak(3, SECOND, Evict::Newest)];
    let _ = enter(&mut limits, 0);
    let [mut first, mut second] = [0; 2].map(|now_ns| enter(&mut limits, now_ns).0);
    limits[0].refund(&mut first, at(1));
    assert_eq!(until(&mut limits, &mut second, 1), Some(TENTH));
    assert_eq!(until(&mut limits, &mut second, TENTH), None);
}

#[test]
fn the_oldest_makes_room_where_told_so() {
    let mut limits = [leak(2, SECOND, Evict::Oldest)];
    let _ = enter(&mut limits, 0);
    let [mut first, mut second] = [0; 2].map(|now_ns| enter(&mut limits, now_ns).0);
    let (mut third, verdict) = enter(&mut limits, 1);
    assert_eq!(verdict, waits(2 * TENTH - 1));
    assert!(limits[0].take_stir());
    assert_eq!(limits[0].standing(&mut first, at(1)), Standing::Evicted);
    assert_eq!(limits[0].standing(&mut first, at(1)), Standing::Free);
    assert_eq!(until(&mut limits, &mut second, 1), Some(TENTH));
    assert_eq!(until(&mut limits, &mut third, 1), Some(2 * TENTH));
}

#[test]
fn who_was_evicted_and_leaves_before_it_hears_of_it_gives_nothing_back_twice() {
    let mut limits = [leak(1, SECOND, Evict::Oldest)];
    let _ = enter(&mut limits, 0);
    let mut first = enter(&mut limits, 0).0;
    let mut second = enter(&mut limits, 1).0;
    limits[0].refund(&mut first, at(1));
    assert_eq!(until(&mut limits, &mut second, 1), Some(TENTH));
}

#[test]
fn of_several_lines_the_latest_turn_counts_and_who_leaves_gets_every_charge_back() {
    let mut limits = [
        leak(5, SECOND, Evict::Newest),
        leak(5, SECOND, Evict::Newest),
        Limiter::new(tokens(1, 10)),
    ];
    for _ in 0..3 {
        let _ = admit(&mut limits, &mut [Ask::new(1, None, 1)], &arrival(at(0)));
    }
    let mut asks = [0, 1, 2].map(|limiter| Ask::new(limiter, None, 1));
    assert_eq!(
        admit(&mut limits, &mut asks, &arrival(at(0))),
        waits(3 * TENTH)
    );
    for ask in &mut asks {
        limits[ask.limiter()].refund(ask, at(TENTH / 2));
    }
    let left = limits
        .each_ref()
        .map(|limit| limit.view(None, at(TENTH / 2)));
    assert_eq!(left[0].full_after_ns, Some(0));
    assert_eq!(left[1].full_after_ns, Some(5 * TENTH / 2));
    assert_eq!(left[2].full_after_ns, Some(0));
}

#[test]
fn an_exempt_request_waits_for_nobody_and_fills_at_most_the_line() {
    let mut limits = [leak(2, SECOND, Evict::Newest)];
    for _ in 0..100 {
        exempt(&mut limits, 0);
    }
    assert_eq!(enter(&mut limits, TENTH).1, waits(2 * TENTH));
}

#[test]
fn those_in_line_stay_there_through_an_edit() {
    let mut limits = [leak(3, SECOND, Evict::Newest)];
    let _ = enter(&mut limits, 0);
    let mut first = enter(&mut limits, 0).0;
    let slower = Leak {
        rate: Rate::new(5, SECOND),
        queue: 3,
        max_wait_ns: SECOND,
        evict: Evict::Newest,
    };
    limits[0].reconfigure(params(Algorithm::LeakyBucket(slower)), at(0));
    assert_eq!(until(&mut limits, &mut first, 0), Some(2 * TENTH));
    assert_eq!(enter(&mut limits, 0).1, waits(4 * TENTH));
}

#[test]
fn the_line_takes_memory_only_while_somebody_waits() {
    let mut limits = [leak(3, SECOND, Evict::Newest)];
    let _ = (enter(&mut limits, 0), enter(&mut limits, 0));
    assert_eq!(enter(&mut limits, SECOND).1, AT_ONCE);
    assert!(!format!("{limits:?}").contains("leaves_at"));
}

#[test]
fn a_line_cut_shorter_than_it_is_evicts_whoever_is_next() {
    let mut limits = [leak(3, SECOND, Evict::Oldest)];
    let _ = enter(&mut limits, 0);
    let mut dear = [Ask::new(0, None, 3)];
    let _ = admit(&mut limits, &mut dear, &arrival(at(0)));
    let _ = (enter(&mut limits, 0), enter(&mut limits, 0));
    let short = leak(1, 4 * TENTH, Evict::Oldest);
    limits[0].reconfigure(*short.params(), at(0));
    assert_eq!(enter(&mut limits, 0).1, waits(3 * TENTH));
    assert_eq!(limits[0].standing(&mut dear[0], at(0)), Standing::Evicted);
    let meter = leak(0, SECOND, Evict::Oldest);
    limits[0].reconfigure(*meter.params(), at(0));
    assert_eq!(enter(&mut limits, 0).1, refused(0, 4 * TENTH));
}
