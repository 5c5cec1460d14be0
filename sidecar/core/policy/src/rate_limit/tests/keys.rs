use super::*;

#[test]
fn keys_have_counts_of_their_own() {
    for algorithm in every_algorithm_of(Rate::new(1, SECOND), Share::new(1, 1)) {
        let mut limits = [Limiter::new(params(algorithm))];
        while ask(&mut limits, Some(1), 1, 0) == AT_ONCE {}
        assert_eq!(ask(&mut limits, Some(2), 1, 0), AT_ONCE);
        assert_ne!(ask(&mut limits, Some(1), 1, 0), AT_ONCE);
    }
}

#[test]
fn churn_of_keys_never_resets_an_exhausted_one() {
    for algorithm in every_algorithm() {
        let mut limits = [Limiter::new(params(algorithm))];
        while admitted(&mut limits, Some(0), 1, 0) {}
        for key in 1..1000 {
            let _ = ask(&mut limits, Some(key), 1, 0);
        }
        assert!(!admitted(&mut limits, Some(0), 1, 0), "{algorithm:?}");
    }
}

#[test]
fn a_key_is_forgotten_as_soon_as_it_is_as_new() {
    for algorithm in every_algorithm_of(Rate::new(1, SECOND), Share::new(1, 1)) {
        let mut limits = [Limiter::new(params(algorithm))];
        if matches!(algorithm, Algorithm::Concurrency(_)) {
            continue;
        }
        for key in 0..1000 {
            let now_ns = key * 3 * SECOND;
            assert_eq!(ask(&mut limits, Some(key), 1, now_ns), AT_ONCE);
            assert!(limits[0].keys() <= 2);
        }
        limits[0].forget_fresh(at(4000 * SECOND));
        assert_eq!(limits[0].keys(), 0, "{algorithm:?}");
    }
}

#[test]
fn a_key_charged_since_it_was_queued_is_not_forgotten_too_early() {
    let mut limits = [Limiter::new(tokens(1, 2))];
    for now_ns in [0, SECOND / 2] {
        assert_eq!(ask(&mut limits, Some(1), 1, now_ns), AT_ONCE);
    }
    limits[0].forget_fresh(at(SECOND));
    assert_eq!(limits[0].view(Some(1), at(SECOND)).remaining, 1);
    assert_eq!(limits[0].keys(), 1);
}

fn full_table(when_keys_full: WhenKeysFull) -> [Limiter; 1] {
    let mut limits = [Limiter::new(Params {
        when_keys_full,
        ..tokens(1, 1)
    })];
    for key in [1, 2] {
        assert_eq!(ask(&mut limits, Some(key), 1, 0), AT_ONCE);
    }
    limits
}

#[test]
fn when_keys_are_full_newcomers_share_one_count() {
    let mut limits = full_table(WhenKeysFull::ShareOne);
    assert_eq!(ask(&mut limits, Some(3), 1, 0), AT_ONCE);
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
        assert_eq!(ask(&mut limits, Some(3), 1, 0), AT_ONCE);
    }
}

#[test]
fn who_looks_without_being_charged_sees_whom_it_would_be_counted_with() {
    for (told, remaining, retry_after_ns) in [
        (WhenKeysFull::ShareOne, 0, Some(SECOND)),
        (WhenKeysFull::Refuse, 1, None),
        (WhenKeysFull::Allow, 1, Some(0)),
    ] {
        let mut limits = full_table(told);
        let _ = ask(&mut limits, Some(3), 1, 0);
        let mut newcomer = Ask::new(0, Some(4), 1);
        limits[0].find(&mut newcomer, at(0));
        assert_eq!(limits[0].view_of(&newcomer, at(0)).remaining, remaining);
        assert_eq!(limits[0].retry_after_ns(&newcomer, at(0)), retry_after_ns);
        assert_eq!(limits[0].keys(), 2);
    }
}
