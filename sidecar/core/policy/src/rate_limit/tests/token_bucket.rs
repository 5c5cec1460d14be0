use super::*;

#[test]
fn a_bucket_starts_full_and_refills_continuously() {
    let mut limits = [Limiter::new(tokens(10, 2))];
    assert_eq!(ask(&mut limits, None, 2, 0), AT_ONCE);
    assert_eq!(ask(&mut limits, None, 1, 0), refused(0, SECOND / 10));
    assert_eq!(ask(&mut limits, None, 1, SECOND / 10 - 1), refused(0, 1));
    assert_eq!(ask(&mut limits, None, 1, SECOND / 10), AT_ONCE);
}

#[test]
fn thirds_of_a_token_are_exact_over_a_long_time() {
    let mut limits = [Limiter::new(tokens(3, 1))];
    let instants = (0..=3000 * SECOND).step_by(SECOND as usize / 2);
    let count = instants
        .filter(|&now_ns| admitted(&mut limits, None, 1, now_ns))
        .count();
    assert_eq!(count, 6001);
}

#[test]
fn unset_the_burst_is_the_requests_of_a_second_and_at_least_one() {
    let capacity = |requests, per_ns| {
        let limit = bucket(Rate::new(requests, per_ns), None);
        Limiter::new(params(limit)).view(None, at(0)).capacity
    };
    assert_eq!(capacity(100, SECOND), 100);
    assert_eq!(capacity(600, 60 * SECOND), 10);
    assert_eq!(capacity(1, 60 * SECOND), 1);
}

#[test]
fn refusals_that_count_keep_the_bucket_empty_but_never_in_debt() {
    let mut limits = [Limiter::new(Params {
        count_refused: true,
        ..tokens(1, 2)
    })];
    assert_eq!(ask(&mut limits, None, 2, 0), AT_ONCE);
    for now_ns in 0..100 {
        let verdict = ask(&mut limits, None, 1, now_ns * SECOND / 2);
        assert_eq!(verdict, refused(0, SECOND));
    }
    assert_eq!(ask(&mut limits, None, 1, 100 * SECOND), AT_ONCE);
}

#[test]
fn an_exempt_request_is_charged_but_never_refused() {
    let mut limits = [Limiter::new(tokens(1, 2))];
    for _ in 0..5 {
        exempt(&mut limits, 0);
    }
    assert_eq!(ask(&mut limits, None, 1, 0), refused(0, SECOND));
}

#[test]
fn what_an_answer_turned_out_to_cost_has_to_come_back_before_the_next() {
    let mut limits = [Limiter::new(tokens(10, 5))];
    let mut asks = [Ask::later(0, Some(7))];
    assert_eq!(admit(&mut limits, &mut asks, &arrival(at(0))), AT_ONCE);
    limits[0].charge_after(&mut asks[0], 25, at(0));
    assert_eq!(limits[0].view(Some(7), at(0)).remaining, 0);
    let mut next = [Ask::later(0, Some(7))];
    let verdict = admit(&mut limits, &mut next, &arrival(at(0)));
    assert_eq!(verdict, refused(0, 21 * SECOND / 10));
    assert_eq!(
        admit(&mut limits, &mut next, &arrival(at(21 * SECOND / 10))),
        AT_ONCE
    );
}

#[test]
fn headers_tell_what_is_left_and_when_there_is_more() {
    let mut limits = [Limiter::new(tokens(2, 10))];
    let mut asks = [Ask::new(0, Some(1), 3)];
    assert_eq!(admit(&mut limits, &mut asks, &arrival(at(0))), AT_ONCE);
    let view = limits[0].view(Some(1), at(SECOND / 4));
    let left = limits[0].left_after(&asks[0], at(SECOND / 4));
    assert_eq!(
        (left.remaining, left.more_after_ns),
        (view.remaining, view.more_after_ns)
    );
    assert_eq!((view.capacity, view.remaining), (10, 7));
    assert_eq!(view.more_after_ns, Some(SECOND / 4));
    assert_eq!(view.full_after_ns, Some(5 * SECOND / 4));
}

#[test]
fn a_full_bucket_waits_for_nothing() {
    let view = Limiter::new(tokens(2, 10)).view(None, at(0));
    assert_eq!(view.remaining, 10);
    assert_eq!((view.more_after_ns, view.full_after_ns), (Some(0), Some(0)));
}
