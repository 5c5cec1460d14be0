use super::*;

fn log(requests: u64) -> [Limiter; 1] {
    let rate = Rate::new(requests, SECOND);
    [Limiter::new(params(Algorithm::SlidingLog { rate }))]
}

fn window(requests: u64, buckets: u32) -> [Limiter; 1] {
    let rate = Rate::new(requests, SECOND);
    [Limiter::new(params(Algorithm::SlidingWindow {
        rate,
        buckets,
    }))]
}

#[test]
fn a_log_forgets_each_request_when_it_is_one_window_old() {
    let mut limits = log(2);
    assert_eq!(ask(&mut limits, None, 1, 100), AT_ONCE);
    assert_eq!(ask(&mut limits, None, 1, 300), AT_ONCE);
    assert_eq!(ask(&mut limits, None, 1, 500), refused(0, SECOND - 400));
    assert_eq!(ask(&mut limits, None, 1, SECOND + 99), refused(0, 1));
    assert_eq!(ask(&mut limits, None, 1, SECOND + 100), AT_ONCE);
    assert_eq!(ask(&mut limits, None, 1, SECOND + 299), refused(0, 1));
}

#[test]
fn a_log_waits_for_as_many_entries_as_a_cost_needs() {
    let mut limits = log(5);
    for now_ns in [10, 20, 30] {
        assert_eq!(ask(&mut limits, None, 1, now_ns), AT_ONCE);
    }
    assert_eq!(ask(&mut limits, None, 4, 30), refused(0, SECOND - 10));
    assert_eq!(ask(&mut limits, None, 5, 30), refused(0, SECOND));
}

#[test]
fn a_log_holds_no_more_than_its_limit_whatever_is_charged() {
    let mut limits = log(3);
    for now_ns in 0..10_000 {
        exempt(&mut limits, now_ns);
    }
    assert_eq!(
        ask(&mut limits, None, 1, 10_000),
        refused(0, SECOND - 10_000 + 9_997)
    );
    assert!(format!("{limits:?}").matches("at_ns").count() <= 3);
}

#[test]
fn a_log_goes_on_after_answers_that_cost_more_than_can_be_counted() {
    let mut limits = log(3);
    for (cost, now_ns) in [(u64::MAX, 0), (u64::MAX, 0), (2, 1)] {
        limits[0].charge_after(&mut Ask::later(0, None), cost, at(now_ns));
    }
    assert_eq!(ask(&mut limits, None, 1, 2), refused(0, SECOND - 2));
    assert_eq!(ask(&mut limits, None, 2, SECOND), refused(0, 1));
    assert_eq!(ask(&mut limits, None, 3, SECOND + 1), AT_ONCE);
}

#[test]
fn refusals_that_count_keep_a_caller_out_until_it_rests() {
    for algorithm in [
        Algorithm::SlidingLog {
            rate: Rate::new(2, SECOND),
        },
        Algorithm::SlidingWindow {
            rate: Rate::new(2, SECOND),
            buckets: 4,
        },
    ] {
        let mut limits = [Limiter::new(Params {
            count_refused: true,
            ..params(algorithm)
        })];
        assert_eq!(ask(&mut limits, None, 2, 0), AT_ONCE);
        for tenth in 1..100 {
            assert!(!admitted(&mut limits, None, 1, tenth * SECOND / 10));
        }
        assert!(admitted(&mut limits, None, 1, 12 * SECOND));
    }
}

#[test]
fn a_counter_weighs_the_previous_window_by_what_is_left_of_it() {
    let mut limits = window(10, 1);
    assert_eq!(ask(&mut limits, None, 10, SECOND / 2), AT_ONCE);
    let quarter = SECOND + SECOND / 4;
    assert_eq!(limits[0].view(None, at(quarter)).remaining, 2);
    assert_eq!(ask(&mut limits, None, 3, quarter), refused(0, SECOND / 20));
    assert_eq!(ask(&mut limits, None, 2, quarter), AT_ONCE);
    assert_eq!(ask(&mut limits, None, 1, quarter), refused(0, SECOND / 20));
}

#[test]
fn a_counter_in_slices_forgets_slice_by_slice() {
    let mut limits = window(4, 4);
    for quarter in 0..4 {
        assert_eq!(
            ask(&mut limits, None, 1, quarter * SECOND / 4 + SECOND / 8),
            AT_ONCE
        );
    }
    assert_eq!(
        ask(&mut limits, None, 1, SECOND - 1),
        refused(0, SECOND / 4 + 1)
    );
    assert_eq!(limits[0].view(None, at(SECOND)).remaining, 0);
    assert_eq!(ask(&mut limits, None, 1, 5 * SECOND / 4), AT_ONCE);
}

#[test]
fn slices_need_not_be_whole_nanoseconds() {
    let mut limits = window(1, 3);
    assert_eq!(ask(&mut limits, None, 1, 333_333_333), AT_ONCE);
    assert_eq!(ask(&mut limits, None, 1, 333_333_334), refused(0, SECOND));
    let after = 4 * SECOND / 3 + 1;
    assert_eq!(ask(&mut limits, None, 1, after - 1), refused(0, 1));
    assert_eq!(ask(&mut limits, None, 1, after), AT_ONCE);
}

#[test]
fn a_charge_is_taken_back_from_the_slice_it_went_to() {
    let mut limits = window(4, 1);
    let mut first = [Ask::new(0, None, 3)];
    assert_eq!(admit(&mut limits, &mut first, &arrival(at(0))), AT_ONCE);
    assert_eq!(ask(&mut limits, None, 1, SECOND), AT_ONCE);
    limits[0].refund(&mut first[0], at(SECOND));
    assert_eq!(limits[0].view(None, at(SECOND)).remaining, 3);
}
