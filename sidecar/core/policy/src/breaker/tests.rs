use super::*;
use crate::Percent;
use crate::backoff::Multiplier;

const SECOND: u64 = 1_000_000_000;
const OPEN: u64 = 30 * SECOND;
const WAIT: u64 = 10 * SECOND;
const MIDDLE: u64 = 1 << 63;

fn params() -> Params {
    Params {
        window: Window::Count { size: 10 },
        minimum_requests: 4,
        trip: Trip {
            error_rate: Some(Percent::new(50)),
            slow_rate: None,
            slow_after_ns: None,
            consecutive_failures: None,
        },
        reset_timeout_ns: 60 * SECOND,
        open: OpenTime {
            base_ns: OPEN,
            multiplier: Multiplier::from_thousandths(2000),
            max_ns: 100 * SECOND,
            jitter: Percent::new(0),
        },
        half_open: HalfOpen {
            trial: Trial::Successes(2),
            max_wait_ns: WAIT,
        },
        overload_open_ns: None,
    }
}

fn with_trial(trial: Trial) -> Params {
    Params {
        half_open: HalfOpen {
            trial,
            max_wait_ns: WAIT,
        },
        ..params()
    }
}

fn with_trip(trip: Trip) -> Params {
    Params { trip, ..params() }
}

/// Admits one call and ends it at once.
fn call(breaker: &mut Breaker, outcome: Outcome, now_ns: u64) {
    let permit = breaker.admit(now_ns, MIDDLE).unwrap();
    breaker.on_result(permit, outcome, 0, now_ns, MIDDLE);
}

fn calls(breaker: &mut Breaker, outcome: Outcome, count: usize, now_ns: u64) {
    for _ in 0..count {
        call(breaker, outcome, now_ns);
    }
}

/// A breaker that opened at 0.
fn opened(params: Params) -> Breaker {
    let mut breaker = Breaker::new(params);
    calls(&mut breaker, Outcome::Failure, 4, 0);
    assert_eq!(breaker.state(), State::Open);
    breaker
}

fn causes(breaker: &mut Breaker) -> Vec<(State, State, Cause)> {
    std::iter::from_fn(|| breaker.next_transition())
        .map(|way| (way.from, way.to, way.cause))
        .collect()
}

#[test]
fn rates_are_not_looked_at_before_the_minimum() {
    let mut breaker = Breaker::new(params());
    calls(&mut breaker, Outcome::Failure, 3, 0);
    assert_eq!(breaker.state(), State::Closed);
    call(&mut breaker, Outcome::Failure, 0);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn exactly_the_error_rate_trips() {
    let mut breaker = Breaker::new(params());
    calls(&mut breaker, Outcome::Success, 2, 0);
    call(&mut breaker, Outcome::Failure, 0);
    assert_eq!(breaker.state(), State::Closed);
    call(&mut breaker, Outcome::Failure, 0);
    assert_eq!(
        causes(&mut breaker),
        [(State::Closed, State::Open, Cause::ErrorRate)]
    );
}

#[test]
fn a_count_window_forgets_its_oldest_call() {
    let mut breaker = Breaker::new(params());
    calls(&mut breaker, Outcome::Failure, 1, 0);
    calls(&mut breaker, Outcome::Success, 10, 0);
    assert_eq!(
        breaker.counts(0),
        Counts {
            calls: 10,
            ..Counts::default()
        }
    );
}

#[test]
fn a_time_window_forgets_old_calls() {
    let window = Window::Time {
        duration_ns: 10 * SECOND,
    };
    let mut breaker = Breaker::new(Params { window, ..params() });
    calls(&mut breaker, Outcome::Failure, 3, 0);
    call(&mut breaker, Outcome::Failure, 10 * SECOND);
    assert_eq!(breaker.state(), State::Closed);
    calls(&mut breaker, Outcome::Failure, 3, 11 * SECOND);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_minimum_above_a_count_windows_size_is_its_size() {
    let mut breaker = Breaker::new(Params {
        minimum_requests: 1000,
        ..params()
    });
    calls(&mut breaker, Outcome::Failure, 9, 0);
    assert_eq!(breaker.state(), State::Closed);
    call(&mut breaker, Outcome::Failure, 0);
    assert_eq!(breaker.state(), State::Open);
}

const SLOW: Trip = Trip {
    error_rate: None,
    slow_rate: Some(Percent::new(50)),
    slow_after_ns: Some(SECOND),
    consecutive_failures: None,
};

#[test]
fn a_call_as_long_as_the_limit_is_not_slow_and_a_longer_one_is() {
    let mut breaker = Breaker::new(with_trip(SLOW));
    for latency_ns in [SECOND, SECOND, SECOND, SECOND + 1, SECOND + 1] {
        let permit = breaker.admit(0, 0).unwrap();
        breaker.on_result(permit, Outcome::Success, latency_ns, 0, 0);
    }
    assert_eq!(breaker.state(), State::Closed);
    let permit = breaker.admit(0, 0).unwrap();
    breaker.on_result(permit, Outcome::Success, SECOND + 1, 0, 0);
    assert_eq!(
        causes(&mut breaker),
        [(State::Closed, State::Open, Cause::SlowRate)]
    );
}

const STREAK: Trip = Trip {
    error_rate: None,
    slow_rate: None,
    slow_after_ns: None,
    consecutive_failures: Some(3),
};

#[test]
fn a_success_ends_a_streak() {
    let mut breaker = Breaker::new(with_trip(STREAK));
    calls(&mut breaker, Outcome::Failure, 2, 0);
    call(&mut breaker, Outcome::Success, 0);
    calls(&mut breaker, Outcome::Failure, 2, 0);
    assert_eq!(breaker.state(), State::Closed);
    call(&mut breaker, Outcome::Failure, 0);
    assert_eq!(
        causes(&mut breaker),
        [(State::Closed, State::Open, Cause::ConsecutiveFailures)]
    );
}

#[test]
fn a_streak_is_forgotten_after_the_reset_timeout() {
    let mut breaker = Breaker::new(with_trip(STREAK));
    calls(&mut breaker, Outcome::Failure, 2, 0);
    assert_eq!(breaker.counts(60 * SECOND - 1).consecutive_failures, 2);
    assert_eq!(breaker.counts(60 * SECOND).consecutive_failures, 0);
    calls(&mut breaker, Outcome::Failure, 2, 60 * SECOND);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn refusals_say_how_long_it_stays_open() {
    let mut breaker = opened(params());
    let refusal = breaker.admit(10 * SECOND, 0).unwrap_err();
    assert_eq!(
        refusal,
        Refusal::Open {
            retry_after_ns: 20 * SECOND
        }
    );
}

#[test]
fn it_stays_open_until_the_next_call_after_its_time() {
    let mut breaker = opened(params());
    breaker.check(OPEN, 0);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.standing(OPEN), Standing::Probing);
    let permit = breaker.admit(OPEN, 0).unwrap();
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.release(permit);
}

#[test]
fn open_times_double_with_each_reopening_up_to_the_maximum_and_start_again_after_a_close() {
    let mut breaker = opened(params());
    let mut now_ns = OPEN;
    for expected in [60 * SECOND, 100 * SECOND, 100 * SECOND] {
        call(&mut breaker, Outcome::Failure, now_ns);
        assert_eq!(breaker.until_ns(), Some(now_ns + expected));
        now_ns += expected;
    }
    calls(&mut breaker, Outcome::Success, 2, now_ns);
    calls(&mut breaker, Outcome::Failure, 4, now_ns);
    assert_eq!(breaker.until_ns(), Some(now_ns + OPEN));
}

#[test]
fn jitter_swings_both_ways_around_the_open_time() {
    let open = OpenTime {
        jitter: Percent::new(20),
        ..params().open
    };
    let until = |draw| {
        let mut breaker = Breaker::new(Params {
            open,
            ..with_trip(STREAK)
        });
        for _ in 0..3 {
            let permit = breaker.admit(0, 0).unwrap();
            breaker.on_result(permit, Outcome::Failure, 0, 0, draw);
        }
        breaker.until_ns()
    };
    assert_eq!(until(0), Some(24 * SECOND));
    assert_eq!(until(u64::MAX), Some(36 * SECOND));
}

#[test]
fn half_open_admits_so_many_probes_at_a_time() {
    let mut breaker = opened(params());
    let first = breaker.admit(OPEN, 0).unwrap();
    let second = breaker.admit(OPEN, 0).unwrap();
    assert_eq!(breaker.admit(OPEN, 0).unwrap_err(), Refusal::HalfOpenFull);
    assert!(!breaker.has_place());
    breaker.on_result(first, Outcome::Success, 0, OPEN, 0);
    let third = breaker.admit(OPEN, 0).unwrap();
    breaker.on_result(second, Outcome::Success, 0, OPEN, 0);
    assert_eq!(breaker.state(), State::Closed);
    breaker.on_result(third, Outcome::Failure, 0, OPEN, 0);
    assert_eq!(breaker.counts(OPEN), Counts::default());
}

#[test]
fn a_released_probe_does_not_leave_the_breaker_half_open_for_ever() {
    for trial in [Trial::Successes(1), Trial::Probes(1)] {
        let mut breaker = opened(with_trial(trial));
        for _ in 0..100 {
            let permit = breaker.admit(OPEN, 0).unwrap();
            breaker.release(permit);
        }
        call(&mut breaker, Outcome::Success, OPEN);
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn an_uncounted_result_is_a_release() {
    let mut breaker = opened(with_trial(Trial::Probes(1)));
    let permit = breaker.admit(OPEN, 0).unwrap();
    breaker.on_result(permit, Outcome::Uncounted, 0, OPEN, 0);
    assert_eq!(
        (breaker.state(), breaker.probes_in_flight()),
        (State::HalfOpen, 0)
    );
    assert!(breaker.has_place());
}

#[test]
fn a_late_answer_does_not_close_an_open_breaker() {
    let mut breaker = Breaker::new(with_trial(Trial::Successes(1)));
    let early = breaker.admit(0, 0).unwrap();
    calls(&mut breaker, Outcome::Failure, 4, 0);
    breaker.on_result(early, Outcome::Success, 0, OPEN, 0);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_late_answer_does_not_count_as_a_probe_or_in_the_fresh_window() {
    let mut breaker = Breaker::new(with_trial(Trial::Successes(1)));
    let early = [breaker.admit(0, 0).unwrap(), breaker.admit(0, 0).unwrap()];
    calls(&mut breaker, Outcome::Failure, 4, 0);
    let probe = breaker.admit(OPEN, 0).unwrap();
    let [first, second] = early;
    breaker.on_result(first, Outcome::Failure, 0, OPEN, 0);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.on_result(probe, Outcome::Success, 0, OPEN, 0);
    breaker.on_result(second, Outcome::Failure, 0, OPEN, 0);
    assert_eq!(breaker.counts(OPEN), Counts::default());
}

#[test]
fn under_a_slow_rate_a_slow_probe_fails() {
    let mut breaker = Breaker::new(with_trip(Trip {
        error_rate: Some(Percent::new(50)),
        ..SLOW
    }));
    calls(&mut breaker, Outcome::Failure, 4, 0);
    let probe = breaker.admit(OPEN, 0).unwrap();
    breaker.on_result(probe, Outcome::Success, SECOND + 1, OPEN, 0);
    assert_eq!(
        causes(&mut breaker).last(),
        Some(&(State::HalfOpen, State::Open, Cause::ProbeSlow))
    );
}

#[test]
fn a_fixed_number_of_probes_is_judged_by_rate_once_all_have_finished() {
    let mut breaker = opened(with_trial(Trial::Probes(4)));
    let probes: Vec<_> = (0..4).map(|_| breaker.admit(OPEN, 0).unwrap()).collect();
    assert_eq!(breaker.admit(OPEN, 0).unwrap_err(), Refusal::HalfOpenFull);
    let outcomes = [
        Outcome::Failure,
        Outcome::Success,
        Outcome::Success,
        Outcome::Success,
    ];
    for (probe, outcome) in probes.into_iter().zip(outcomes) {
        assert_eq!(breaker.state(), State::HalfOpen);
        assert!(!breaker.has_place());
        breaker.on_result(probe, outcome, 0, OPEN, 0);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn as_many_failed_probes_as_the_error_rate_open_it_again() {
    let mut breaker = opened(with_trial(Trial::Probes(2)));
    call(&mut breaker, Outcome::Failure, OPEN);
    call(&mut breaker, Outcome::Success, OPEN);
    assert_eq!(
        causes(&mut breaker).last(),
        Some(&(State::HalfOpen, State::Open, Cause::ErrorRate))
    );
}

#[test]
fn probes_are_judged_by_half_of_them_where_no_error_rate_is_set() {
    let trial = HalfOpen {
        trial: Trial::Probes(2),
        max_wait_ns: WAIT,
    };
    let mut breaker = Breaker::new(Params {
        half_open: trial,
        ..with_trip(STREAK)
    });
    calls(&mut breaker, Outcome::Failure, 3, 0);
    calls(&mut breaker, Outcome::Failure, 2, OPEN);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_probe_without_headers_fails_after_the_longest_wait() {
    let mut breaker = opened(params());
    let silent = breaker.admit(OPEN, 0).unwrap();
    breaker.check(OPEN + WAIT - 1, 0);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.check(OPEN + WAIT, 0);
    assert_eq!(
        causes(&mut breaker).last(),
        Some(&(State::HalfOpen, State::Open, Cause::ProbeSilent))
    );
    breaker.on_result(silent, Outcome::Success, 0, OPEN + WAIT, 0);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_probe_still_streaming_after_the_longest_wait_succeeds() {
    let mut breaker = opened(with_trial(Trial::Successes(1)));
    let streaming = breaker.admit(OPEN, 0).unwrap();
    breaker.on_headers(&streaming, OPEN + 1, 0);
    breaker.check(OPEN + WAIT, 0);
    assert_eq!(breaker.state(), State::Closed);
    breaker.on_result(streaming, Outcome::Failure, 0, OPEN + WAIT, 0);
    assert_eq!(breaker.counts(OPEN + WAIT), Counts::default());
}

#[test]
fn headers_after_the_longest_wait_are_too_late() {
    let mut breaker = opened(params());
    let probe = breaker.admit(OPEN, 0).unwrap();
    breaker.on_headers(&probe, OPEN + WAIT, 0);
    assert_eq!(breaker.state(), State::Open);
    breaker.release(probe);
}

#[test]
fn without_calls_it_stays_half_open() {
    let mut breaker = opened(params());
    let permit = breaker.admit(OPEN, 0).unwrap();
    breaker.release(permit);
    breaker.check(u64::MAX, 0);
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn forced_open_refuses_until_its_time_and_then_closes() {
    let mut breaker = Breaker::new(params());
    breaker.force(Forced::Open, 5 * SECOND, 0);
    assert_eq!(
        breaker.admit(5 * SECOND - 1, 0).unwrap_err(),
        Refusal::Forced
    );
    call(&mut breaker, Outcome::Success, 5 * SECOND);
    let ways = causes(&mut breaker);
    assert_eq!(ways[0], (State::Closed, State::ForcedOpen, Cause::Forced));
    assert_eq!(
        ways[1],
        (State::ForcedOpen, State::Closed, Cause::ForceOver)
    );
}

#[test]
fn forced_closed_counts_but_never_trips_and_disabled_does_not_even_count() {
    for (how, counted) in [(Forced::Closed, 10), (Forced::Disabled, 0)] {
        let mut breaker = opened(params());
        breaker.force(how, 5 * SECOND, 0);
        calls(&mut breaker, Outcome::Failure, 12, 0);
        assert_eq!(breaker.counts(0).failures, counted);
        breaker.lift(0);
        assert_eq!(
            (breaker.state(), breaker.counts(0)),
            (State::Closed, Counts::default())
        );
    }
}

#[test]
fn every_transition_carries_what_had_been_counted_before_it() {
    let mut breaker = opened(params());
    let way = breaker.next_transition().unwrap();
    assert_eq!(
        way.counts,
        Counts {
            calls: 4,
            failures: 4,
            slow: 0,
            consecutive_failures: 4
        }
    );
    assert_eq!(way.at_ns, 0);
}

#[test]
fn an_edit_keeps_the_state_and_the_window() {
    let mut breaker = Breaker::new(params());
    calls(&mut breaker, Outcome::Failure, 3, 0);
    breaker.reconfigure(Params {
        minimum_requests: 3,
        ..params()
    });
    assert_eq!(breaker.counts(0).failures, 3);
    call(&mut breaker, Outcome::Failure, 0);
    assert_eq!(breaker.state(), State::Open);
    breaker.reconfigure(params());
    assert_eq!(breaker.until_ns(), Some(OPEN));
}

#[test]
fn another_trial_begins_the_probes_anew() {
    let mut breaker = opened(params());
    let old = breaker.admit(OPEN, 0).unwrap();
    breaker.reconfigure(with_trial(Trial::Probes(1)));
    let new = breaker.admit(OPEN, 0).unwrap();
    breaker.on_result(old, Outcome::Failure, 0, OPEN, 0);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.on_result(new, Outcome::Success, 0, OPEN, 0);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn transitions_left_untaken_are_bounded() {
    let mut breaker = Breaker::new(params());
    for now_ns in 0..100 {
        breaker.force(Forced::Open, u64::MAX, now_ns);
    }
    assert_eq!(
        std::iter::from_fn(|| breaker.next_transition()).count(),
        KEPT_TRANSITIONS
    );
}

fn overloaded(breaker: &mut Breaker, now_ns: u64) {
    let permit = breaker.admit(now_ns, MIDDLE).unwrap();
    breaker.on_overload(permit, now_ns, MIDDLE);
}

fn with_overload() -> Breaker {
    Breaker::new(Params {
        overload_open_ns: Some(5 * SECOND),
        ..with_trip(STREAK)
    })
}

#[test]
fn refusals_for_overload_say_nothing_unless_they_are_counted() {
    let mut breaker = Breaker::new(with_trip(STREAK));
    for second in 0..100 {
        overloaded(&mut breaker, second * SECOND);
    }
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.counts(100 * SECOND), Counts::default());
}

#[test]
fn overload_counts_once_in_a_tenth_of_a_second_and_opens_for_a_shorter_time() {
    let mut breaker = with_overload();
    for tenth in 0..2 {
        for now_ns in 0..10 {
            overloaded(&mut breaker, tenth * SECOND / 10 + now_ns);
        }
    }
    assert_eq!(breaker.state(), State::Closed);
    overloaded(&mut breaker, SECOND / 5);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.until_ns(), Some(SECOND / 5 + 5 * SECOND));
}

#[test]
fn a_failure_beside_overload_opens_for_its_own_time() {
    let mut breaker = with_overload();
    overloaded(&mut breaker, 0);
    calls(&mut breaker, Outcome::Failure, 2, 0);
    assert_eq!(breaker.until_ns(), Some(OPEN));
}

#[test]
fn a_probe_that_is_refused_for_overload_opens_again_or_frees_its_place() {
    let mut breaker = with_overload();
    calls(&mut breaker, Outcome::Failure, 3, 0);
    let [first, second] = [0; 2].map(|_| breaker.admit(OPEN, MIDDLE).unwrap());
    breaker.on_overload(first, OPEN, MIDDLE);
    assert_eq!(breaker.until_ns(), Some(OPEN + 5 * SECOND));
    let probe = breaker.admit(OPEN + 5 * SECOND, MIDDLE).unwrap();
    breaker.on_overload(second, OPEN + 5 * SECOND, MIDDLE);
    assert_eq!(breaker.probes_in_flight(), 1);
    breaker.release(probe);
}
