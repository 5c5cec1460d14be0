use super::*;

#[test]
fn an_edit_of_the_limit_keeps_what_was_used() {
    let mut limits = [Limiter::new(tokens(10, 10))];
    assert_eq!(ask(&mut limits, None, 7, 5), AT_ONCE);
    assert_eq!(ask(&mut limits, Some(1), 4, 5), AT_ONCE);
    limits[0].reconfigure(tokens(20, 20), at(5));
    assert_eq!(limits[0].view(None, at(5)).remaining, 13);
    assert_eq!(limits[0].view(Some(1), at(5)).remaining, 16);
    limits[0].reconfigure(params(bucket(Rate::new(1, 3 * SECOND), Some(5))), at(5));
    assert_eq!(limits[0].view(None, at(5)).remaining, 0);
    assert_eq!(limits[0].view(Some(1), at(5)).remaining, 1);
}

#[test]
fn every_algorithm_keeps_what_was_used_when_its_limit_or_share_changes() {
    let wider = every_algorithm_of(Rate::new(24, SECOND).divided(2), Share::new(24, 2));
    for (algorithm, wider) in every_algorithm_of(Rate::new(6, SECOND), Share::new(6, 1))
        .into_iter()
        .zip(wider)
    {
        if matches!(algorithm, Algorithm::LeakyBucket(_)) {
            continue;
        }
        let mut limits = [Limiter::new(params(algorithm))];
        assert_eq!(ask(&mut limits, Some(1), 4, 5), AT_ONCE);
        limits[0].reconfigure(params(wider), at(5));
        assert_eq!(limits[0].view(Some(1), at(5)).remaining, 8, "{wider:?}");
    }
}

#[test]
fn a_longer_window_counts_what_was_used_in_the_shorter_one() {
    let window = |per_ns| Algorithm::FixedWindow {
        rate: Rate::new(6, per_ns),
        aligned: true,
    };
    let slices = |buckets| Algorithm::SlidingWindow {
        rate: Rate::new(6, SECOND),
        buckets,
    };
    for (old, new) in [
        (window(SECOND), window(3600 * SECOND)),
        (slices(1), slices(5)),
    ] {
        let mut limits = [Limiter::new(params(old))];
        assert_eq!(ask(&mut limits, None, 4, 5), AT_ONCE);
        limits[0].reconfigure(params(new), at(5));
        assert_eq!(limits[0].view(None, at(5)).remaining, 2);
    }
}

#[test]
fn a_window_that_is_over_stays_over_when_windows_become_longer() {
    let window = |per_ns| Algorithm::FixedWindow {
        rate: Rate::new(2, per_ns),
        aligned: false,
    };
    let mut limits = [Limiter::new(params(window(SECOND)))];
    assert_eq!(ask(&mut limits, None, 2, 5), AT_ONCE);
    limits[0].reconfigure(params(window(3600 * SECOND)), at(5 + 2 * SECOND));
    assert_eq!(limits[0].view(None, at(5 + 2 * SECOND)).remaining, 2);
}

#[test]
fn an_edit_that_changes_nothing_relevant_resets_nothing() {
    for algorithm in every_algorithm() {
        let mut limits = [Limiter::new(params(algorithm))];
        while admitted(&mut limits, Some(1), 1, 0) {}
        let edited = Params {
            count_refused: true,
            ..params(algorithm)
        };
        limits[0].reconfigure(edited, at(0));
        assert!(!admitted(&mut limits, Some(1), 1, 0), "{algorithm:?}");
    }
}

#[test]
fn a_debt_outlives_an_edit() {
    let mut limits = [Limiter::new(tokens(1, 5))];
    limits[0].charge_after(&mut Ask::later(0, None), 15, at(0));
    limits[0].reconfigure(tokens(2, 5), at(0));
    assert_eq!(ask(&mut limits, None, 1, 0), refused(0, 11 * SECOND / 2));
}

#[test]
fn a_small_share_of_the_longest_window_never_forgets_a_part_of_a_request() {
    let share = |members| {
        bucket(
            Rate::new(1_000, 31 * 86_400 * SECOND).divided(members),
            Some(1),
        )
    };
    let mut limits = [Limiter::new(params(share(30_000)))];
    assert_eq!(ask(&mut limits, None, 1, 0), AT_ONCE);
    let before = limits[0].view(None, at(5)).full_after_ns.unwrap();
    limits[0].reconfigure(params(share(29_999)), at(5));
    limits[0].reconfigure(params(share(30_000)), at(5));
    assert!(limits[0].view(None, at(5)).full_after_ns.unwrap() >= before);
}

#[test]
fn a_charge_is_not_taken_back_from_counts_that_began_after_it() {
    let rate = Rate::new(1, SECOND);
    let line = Algorithm::LeakyBucket(Leak {
        rate,
        queue: 1,
        max_wait_ns: SECOND,
        evict: Evict::Newest,
    });
    let mut limits = [Limiter::new(tokens(1, 1))];
    let mut asks = [Ask::new(0, None, 1)];
    assert_eq!(admit(&mut limits, &mut asks, &arrival(at(0))), AT_ONCE);
    limits[0].reconfigure(params(line), at(0));
    assert_eq!(ask(&mut limits, None, 1, 0), AT_ONCE);
    limits[0].refund(&mut asks[0], at(0));
    assert_eq!(ask(&mut limits, None, 1, 0), waits(SECOND));
    assert_eq!(limits[0].standing(&mut asks[0], at(0)), Standing::Free);
}

#[test]
fn another_algorithm_begins_anew() {
    let mut limits = [Limiter::new(tokens(1, 1))];
    assert_eq!(ask(&mut limits, None, 1, 0), AT_ONCE);
    let rate = Rate::new(1, SECOND);
    limits[0].reconfigure(params(Algorithm::SlidingLog { rate }), at(0));
    assert_eq!(ask(&mut limits, None, 1, 0), AT_ONCE);
}

#[test]
fn an_answer_costs_nothing_of_a_limit_that_took_the_place_of_its_own() {
    let mut limits = [Limiter::new(tokens(1, 5))];
    let mut asks = [Ask::later(0, None)];
    assert_eq!(admit(&mut limits, &mut asks, &arrival(at(0))), AT_ONCE);
    limits[0].renew(tokens(1, 3));
    limits[0].charge_after(&mut asks[0], 15, at(0));
    assert_eq!(limits[0].view(None, at(0)).remaining, 3);
}
