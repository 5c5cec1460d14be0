mod concurrency;
mod conjunction;
mod edits;
mod keys;
mod leaky_bucket;
mod sliding;
pub(crate) mod support;
mod token_bucket;
mod windows;

use super::*;
use support::*;

#[test]
fn retry_after_is_rounded_up_to_whole_seconds_with_a_tenth_more_by_chance() {
    assert_eq!(retry_after_seconds(1, 0), 1);
    assert_eq!(retry_after_seconds(SECOND + 1, 0), 2);
    assert_eq!(retry_after_seconds(2 * SECOND, u64::MAX), 2);
    assert_eq!(retry_after_seconds(20 * SECOND, u64::MAX), 22);
    assert_eq!(pushback_ms(SECOND, u64::MAX), 1100);
}

#[test]
fn a_request_sent_after_the_time_named_is_admitted_and_one_sent_before_is_not() {
    for algorithm in every_algorithm() {
        let mut limits = [Limiter::new(params(algorithm))];
        while admitted(&mut limits, None, 1, 17) {}
        let Verdict::Refused { retry_after_ns, .. } = ask(&mut limits, None, 1, 17) else {
            panic!("expected a refusal of {algorithm:?}");
        };
        let Some(wait_ns) = retry_after_ns else {
            assert_eq!(algorithm.reason(), Reason::RatelimitConcurrency);
            continue;
        };
        assert!(!admitted(&mut limits, None, 1, 17 + wait_ns - 1));
        assert!(
            admitted(&mut limits, None, 1, 17 + wait_ns),
            "{algorithm:?}"
        );
    }
}

#[test]
fn a_cost_above_the_capacity_has_no_retry_after_and_takes_nothing() {
    for algorithm in every_algorithm() {
        if matches!(algorithm, Algorithm::LeakyBucket(_)) {
            continue;
        }
        let counting = Params {
            count_refused: true,
            ..params(algorithm)
        };
        let mut limits = [Limiter::new(counting)];
        let too_much = limits[0].view(None, at(0)).capacity + 1;
        let never = Verdict::Refused {
            ask: 0,
            retry_after_ns: None,
        };
        assert_eq!(ask(&mut limits, None, too_much, 0), never);
        assert!(
            admitted(&mut limits, None, too_much - 1, 0),
            "{algorithm:?}"
        );
    }
}

#[test]
fn every_algorithm_names_its_own_reason() {
    let mut reasons = every_algorithm().map(|algorithm| algorithm.reason());
    reasons.sort_unstable();
    assert!(reasons.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn a_member_has_an_exact_share_and_at_least_one_request() {
    for algorithm in every_algorithm_of(Rate::new(10, SECOND).divided(3), Share::new(10, 3)) {
        let view = Limiter::new(params(algorithm)).view(None, at(0));
        assert_eq!(view.capacity, 3, "{algorithm:?}");
    }
    for algorithm in every_algorithm_of(Rate::new(2, SECOND).divided(7), Share::new(2, 7)) {
        if !matches!(algorithm, Algorithm::LeakyBucket(_)) {
            let view = Limiter::new(params(algorithm)).view(None, at(0));
            assert_eq!(view.capacity, 1, "{algorithm:?}");
        }
    }
}

#[test]
fn shares_of_a_rate_add_up_to_the_whole() {
    let mut members: Vec<_> = (0..7)
        .map(|_| {
            [Limiter::new(params(bucket(
                Rate::new(10, SECOND).divided(7),
                Some(7),
            )))]
        })
        .collect();
    let mut count = 0;
    for now_ns in (0..=700 * SECOND).step_by(SECOND as usize / 20) {
        count += members
            .iter_mut()
            .filter_map(|limits| admitted(limits, None, 1, now_ns).then_some(()))
            .count();
    }
    assert_eq!(count, 7 + 7000);
}
