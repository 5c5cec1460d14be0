use super::*;

#[test]
fn a_wide_bucket_is_not_burnt_by_refusals_of_a_narrow_one() {
    let mut limits = [Limiter::new(tokens(1, 10)), Limiter::new(tokens(1, 1))];
    assert_eq!(ask(&mut limits, None, 1, 0), AT_ONCE);
    for _ in 0..100 {
        assert_eq!(ask(&mut limits, None, 1, 0), refused(1, SECOND));
    }
    assert_eq!(limits[0].view(None, at(0)).remaining, 9);
}

#[test]
fn over_several_refusing_limits_the_longest_time_is_named() {
    let slow = params(bucket(Rate::new(1, 5 * SECOND), Some(1)));
    let mut limits = [
        Limiter::new(tokens(1, 1)),
        Limiter::new(slow),
        Limiter::new(tokens(1, 1)),
    ];
    assert_eq!(ask(&mut limits, None, 1, 0), AT_ONCE);
    assert_eq!(ask(&mut limits, None, 1, 0), refused(1, 5 * SECOND));
}

#[test]
fn a_refusal_without_a_time_outlasts_every_time() {
    let mut limits = [
        Limiter::new(tokens(1, 1)),
        Limiter::new(params(Algorithm::Concurrency(Share::new(1, 1)))),
    ];
    assert_eq!(ask(&mut limits, None, 1, 0), AT_ONCE);
    let unknown = Verdict::Refused {
        ask: 1,
        retry_after_ns: None,
    };
    assert_eq!(ask(&mut limits, None, 1, 0), unknown);
}

#[test]
fn a_limit_that_counts_refusals_is_not_charged_for_anothers() {
    let counting = Params {
        count_refused: true,
        ..tokens(1, 10)
    };
    let mut limits = [Limiter::new(counting), Limiter::new(tokens(1, 1))];
    assert_eq!(ask(&mut limits, None, 1, 0), AT_ONCE);
    assert_eq!(ask(&mut limits, None, 1, 0), refused(1, SECOND));
    assert_eq!(limits[0].view(None, at(0)).remaining, 9);
}

#[test]
fn a_key_that_another_limit_refuses_takes_no_place() {
    let mut limits = [Limiter::new(tokens(1, 1)), Limiter::new(tokens(1, 1))];
    assert_eq!(
        admit(&mut limits, &mut [Ask::new(1, None, 1)], &arrival(at(0))),
        AT_ONCE
    );
    for key in 0..10 {
        let mut asks = [Ask::new(0, Some(key), 1), Ask::new(1, None, 1)];
        assert_eq!(
            admit(&mut limits, &mut asks, &arrival(at(0))),
            refused(1, SECOND)
        );
    }
    assert_eq!(limits[0].keys(), 0);
}
