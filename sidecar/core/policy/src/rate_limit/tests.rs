use super::*;

const SECOND: u64 = 1_000_000_000;

fn params(requests: u64, per_ns: u64, burst: u64) -> Params {
    Params {
        rate: Rate::new(requests, per_ns, Some(burst)),
        max_keys: 2,
        when_keys_full: WhenKeysFull::Refuse,
        count_refused: false,
    }
}

fn ask(limiters: &mut [Limiter], key: Option<Key>, cost: u64, now_ns: u64) -> Verdict {
    let mut asks: Vec<_> = (0..limiters.len())
        .map(|at| Ask::new(at, key, cost))
        .collect();
    admit(limiters, &mut asks, false, now_ns)
}

fn refused(ask: usize, retry_after_ns: u64) -> Verdict {
    Verdict::Refused {
        ask,
        retry_after_ns: Some(retry_after_ns),
    }
}

#[test]
fn a_bucket_starts_full_and_refills_continuously() {
    let mut limits = [Limiter::new(params(10, SECOND, 2))];
    assert_eq!(ask(&mut limits, None, 2, 0), Verdict::Admitted);
    assert_eq!(ask(&mut limits, None, 1, 0), refused(0, SECOND / 10));
    assert_eq!(ask(&mut limits, None, 1, SECOND / 10 - 1), refused(0, 1));
    assert_eq!(ask(&mut limits, None, 1, SECOND / 10), Verdict::Admitted);
}

#[test]
fn thirds_of_a_token_are_exact_over_a_long_time() {
    let mut limits = [Limiter::new(params(3, SECOND, 1))];
    let mut admitted = 0;
    for now_ns in (0..=3000 * SECOND).step_by(SECOND as usize / 2) {
        admitted += u64::from(ask(&mut limits, None, 1, now_ns) == Verdict::Admitted);
    }
    assert_eq!(admitted, 6001);
}

#[test]
fn a_request_sent_after_the_time_named_is_admitted_and_one_sent_before_is_not() {
    for requests in [3, 7, 11] {
        let mut limits = [Limiter::new(params(requests, SECOND, 5))];
        assert_eq!(ask(&mut limits, None, 5, 17), Verdict::Admitted);
        let Verdict::Refused {
            retry_after_ns: Some(wait_ns),
            ..
        } = ask(&mut limits, None, 3, 17)
        else {
            panic!("expected a refusal with a time");
        };
        assert_ne!(
            ask(&mut limits, None, 3, 17 + wait_ns - 1),
            Verdict::Admitted
        );
        assert_eq!(ask(&mut limits, None, 3, 17 + wait_ns), Verdict::Admitted);
    }
}

#[test]
fn unset_the_burst_is_the_requests_of_a_second_and_at_least_one() {
    assert_eq!(Rate::new(100, SECOND, None).capacity(), 100);
    assert_eq!(Rate::new(600, 60 * SECOND, None).capacity(), 10);
    assert_eq!(Rate::new(1, 60 * SECOND, None).capacity(), 1);
}

#[test]
fn a_cost_above_the_capacity_has_no_retry_after_and_takes_nothing() {
    let mut limits = [Limiter::new(Params {
        count_refused: true,
        ..params(1, SECOND, 2)
    })];
    assert_eq!(
        ask(&mut limits, None, 3, 0),
        Verdict::Refused {
            ask: 0,
            retry_after_ns: None
        }
    );
    assert_eq!(ask(&mut limits, None, 2, 0), Verdict::Admitted);
}

#[test]
fn a_wide_bucket_is_not_burnt_by_refusals_of_a_narrow_one() {
    let mut limits = [
        Limiter::new(params(1, SECOND, 10)),
        Limiter::new(params(1, SECOND, 1)),
    ];
    assert_eq!(ask(&mut limits, None, 1, 0), Verdict::Admitted);
    for _ in 0..100 {
        assert_eq!(ask(&mut limits, None, 1, 0), refused(1, SECOND));
    }
    assert_eq!(limits[0].view(None, 0).remaining, 9);
}

#[test]
fn over_several_refusing_limits_the_longest_time_is_named() {
    let mut limits = [
        Limiter::new(params(1, 5 * SECOND, 1)),
        Limiter::new(params(1, SECOND, 1)),
    ];
    assert_eq!(ask(&mut limits, None, 1, 0), Verdict::Admitted);
    assert_eq!(ask(&mut limits, None, 1, 0), refused(0, 5 * SECOND));
}

#[test]
fn refusals_that_count_keep_the_bucket_empty_but_never_in_debt() {
    let mut limits = [Limiter::new(Params {
        count_refused: true,
        ..params(1, SECOND, 2)
    })];
    assert_eq!(ask(&mut limits, None, 2, 0), Verdict::Admitted);
    for now_ns in 0..100 {
        assert_eq!(
            ask(&mut limits, None, 1, now_ns * SECOND / 2),
            refused(0, SECOND)
        );
    }
    assert_eq!(ask(&mut limits, None, 1, 100 * SECOND), Verdict::Admitted);
}

#[test]
fn a_limit_that_counts_refusals_is_not_charged_for_anothers() {
    let counting = Params {
        count_refused: true,
        ..params(1, SECOND, 10)
    };
    let mut limits = [Limiter::new(counting), Limiter::new(params(1, SECOND, 1))];
    assert_eq!(ask(&mut limits, None, 1, 0), Verdict::Admitted);
    assert_eq!(ask(&mut limits, None, 1, 0), refused(1, SECOND));
    assert_eq!(limits[0].view(None, 0).remaining, 9);
}

#[test]
fn an_exempt_request_is_charged_but_never_refused() {
    let mut limits = [Limiter::new(params(1, SECOND, 2))];
    for _ in 0..5 {
        let mut asks = [Ask::new(0, None, 1)];
        assert_eq!(admit(&mut limits, &mut asks, true, 0), Verdict::Admitted);
    }
    assert_eq!(ask(&mut limits, None, 1, 0), refused(0, SECOND));
}

#[test]
fn keys_have_buckets_of_their_own() {
    let mut limits = [Limiter::new(params(1, SECOND, 1))];
    assert_eq!(ask(&mut limits, Some(1), 1, 0), Verdict::Admitted);
    assert_eq!(ask(&mut limits, Some(2), 1, 0), Verdict::Admitted);
    assert_eq!(ask(&mut limits, Some(1), 1, 0), refused(0, SECOND));
}

#[test]
fn churn_of_keys_never_resets_an_exhausted_one() {
    let mut limits = [Limiter::new(params(1, SECOND, 1))];
    assert_eq!(ask(&mut limits, Some(0), 1, 0), Verdict::Admitted);
    for key in 1..1000 {
        let _ = ask(&mut limits, Some(key), 1, 0);
    }
    assert_eq!(ask(&mut limits, Some(0), 1, SECOND - 1), refused(0, 1));
}

#[test]
fn a_key_is_forgotten_as_soon_as_its_bucket_is_full_again() {
    let mut limits = [Limiter::new(params(1, SECOND, 1))];
    for key in 0..1000 {
        assert_eq!(
            ask(&mut limits, Some(key), 1, key * SECOND),
            Verdict::Admitted
        );
        assert!(limits[0].keys() <= 2);
    }
    limits[0].forget_full(1001 * SECOND);
    assert_eq!(limits[0].keys(), 0);
}

#[test]
fn a_key_charged_since_it_was_queued_is_not_forgotten_too_early() {
    let mut limits = [Limiter::new(params(1, SECOND, 2))];
    for now_ns in [0, SECOND / 2] {
        assert_eq!(ask(&mut limits, Some(1), 1, now_ns), Verdict::Admitted);
    }
    limits[0].forget_full(SECOND);
    assert_eq!(limits[0].view(Some(1), SECOND).remaining, 1);
    assert_eq!(limits[0].keys(), 1);
}

fn full_table(when_keys_full: WhenKeysFull) -> [Limiter; 1] {
    let mut limits = [Limiter::new(Params {
        when_keys_full,
        ..params(1, SECOND, 1)
    })];
    for key in [1, 2] {
        assert_eq!(ask(&mut limits, Some(key), 1, 0), Verdict::Admitted);
    }
    limits
}

#[test]
fn when_keys_are_full_newcomers_share_one_bucket() {
    let mut limits = full_table(WhenKeysFull::ShareOne);
    assert_eq!(ask(&mut limits, Some(3), 1, 0), Verdict::Admitted);
    assert_eq!(ask(&mut limits, Some(4), 1, 0), refused(0, SECOND));
}

#[test]
fn when_keys_are_full_newcomers_are_refused_without_a_time() {
    let mut limits = full_table(WhenKeysFull::Refuse);
    assert_eq!(
        ask(&mut limits, Some(3), 1, 0),
        Verdict::Refused {
            ask: 0,
            retry_after_ns: None
        }
    );
}

#[test]
fn when_keys_are_full_newcomers_are_let_through() {
    let mut limits = full_table(WhenKeysFull::Allow);
    for _ in 0..5 {
        assert_eq!(ask(&mut limits, Some(3), 1, 0), Verdict::Admitted);
    }
}

#[test]
fn an_edit_of_the_limit_keeps_what_was_used() {
    let mut limits = [Limiter::new(params(10, SECOND, 10))];
    assert_eq!(ask(&mut limits, None, 7, 5), Verdict::Admitted);
    assert_eq!(ask(&mut limits, Some(1), 4, 5), Verdict::Admitted);
    limits[0].reconfigure(params(20, SECOND, 20), 5);
    assert_eq!(limits[0].view(None, 5).remaining, 13);
    assert_eq!(limits[0].view(Some(1), 5).remaining, 16);
    limits[0].reconfigure(params(1, 3 * SECOND, 5), 5);
    assert_eq!(limits[0].view(None, 5).remaining, 0);
    assert_eq!(limits[0].view(Some(1), 5).remaining, 1);
}

#[test]
fn an_edit_that_changes_nothing_relevant_resets_nothing() {
    let mut limits = [Limiter::new(params(1, SECOND, 1))];
    assert_eq!(ask(&mut limits, Some(1), 1, 0), Verdict::Admitted);
    limits[0].reconfigure(
        Params {
            count_refused: true,
            ..params(1, SECOND, 1)
        },
        0,
    );
    assert_eq!(ask(&mut limits, Some(1), 1, 0), refused(0, SECOND));
}

#[test]
fn headers_tell_what_is_left_and_when_there_is_more() {
    let mut limits = [Limiter::new(params(2, SECOND, 10))];
    let mut asks = [Ask::new(0, Some(1), 3)];
    assert_eq!(admit(&mut limits, &mut asks, false, 0), Verdict::Admitted);
    let view = limits[0].view_after(&asks[0], SECOND / 4);
    assert_eq!((view.capacity, view.remaining), (10, 7));
    assert_eq!(
        (view.next_token_ns, view.refill_ns),
        (SECOND / 4, 5 * SECOND / 4)
    );
}

#[test]
fn a_full_bucket_waits_for_nothing() {
    let view = Limiter::new(params(2, SECOND, 10)).view(None, 0);
    assert_eq!(
        (view.remaining, view.next_token_ns, view.refill_ns),
        (10, 0, 0)
    );
}

#[test]
fn retry_after_is_rounded_up_to_whole_seconds_with_a_tenth_more_by_chance() {
    assert_eq!(retry_after_seconds(1, 0), 1);
    assert_eq!(retry_after_seconds(SECOND + 1, 0), 2);
    assert_eq!(retry_after_seconds(2 * SECOND, u64::MAX), 2);
    assert_eq!(retry_after_seconds(20 * SECOND, u64::MAX), 22);
    assert_eq!(pushback_ms(SECOND, u64::MAX), 1100);
}
