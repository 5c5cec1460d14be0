use super::*;

fn window(requests: u64, per_ns: u64, aligned: bool) -> [Limiter; 1] {
    let rate = Rate::new(requests, per_ns);
    [Limiter::new(params(Algorithm::FixedWindow {
        rate,
        aligned,
    }))]
}

fn enter(limits: &mut [Limiter], at: Moment) -> bool {
    let verdict = admit(limits, &mut [Ask::new(0, None, 1)], &arrival(at));
    matches!(verdict, Verdict::Admitted { .. })
}

#[test]
fn windows_begin_with_the_calendar() {
    let mut limits = window(1, 60 * SECOND, true);
    assert_eq!(ask(&mut limits, None, 1, 59 * SECOND), AT_ONCE);
    assert_eq!(ask(&mut limits, None, 1, 59 * SECOND), refused(0, SECOND));
    assert_eq!(ask(&mut limits, None, 1, 60 * SECOND), AT_ONCE);
}

#[test]
fn windows_that_are_not_aligned_begin_with_the_first_request() {
    let mut limits = window(1, 60 * SECOND, false);
    assert_eq!(ask(&mut limits, None, 1, 59 * SECOND), AT_ONCE);
    assert_eq!(
        ask(&mut limits, None, 1, 100 * SECOND),
        refused(0, 19 * SECOND)
    );
    assert_eq!(ask(&mut limits, None, 1, 130 * SECOND), AT_ONCE);
    assert_eq!(
        ask(&mut limits, None, 1, 180 * SECOND),
        refused(0, 10 * SECOND)
    );
}

#[test]
fn a_clock_set_forward_prolongs_the_window() {
    let mut limits = window(1, 10 * SECOND, true);
    assert!(enter(&mut limits, at(2 * SECOND)));
    let set = |now_ns| Moment {
        now_ns,
        unix_ns: at(now_ns).unix_ns + 5 * SECOND,
    };
    assert!(!enter(&mut limits, set(6 * SECOND)));
    assert!(!enter(&mut limits, set(14 * SECOND)));
    assert!(enter(&mut limits, set(15 * SECOND)));
    assert!(enter(&mut limits, set(25 * SECOND)));
}

#[test]
fn a_clock_set_back_and_forth_admits_at_most_twice_the_limit_in_any_window() {
    let mut limits = window(1, 10 * SECOND, true);
    let mut admissions = Vec::new();
    for step in 0..10_000_u64 {
        let now_ns = step * SECOND / 10;
        let moment = Moment {
            now_ns,
            unix_ns: at(now_ns).unix_ns + step * 7919 % 100 * SECOND,
        };
        if enter(&mut limits, moment) {
            admissions.push(now_ns);
        }
    }
    assert!(admissions.len() > 50);
    let at_once = |instants: &[u64]| instants[2] - instants[0] < 10 * SECOND;
    assert!(!admissions.windows(3).any(at_once));
}

#[test]
fn a_charge_of_a_window_that_is_past_is_not_taken_back_from_the_next() {
    let mut limits = window(2, SECOND, true);
    let mut first = [Ask::new(0, None, 1)];
    assert_eq!(admit(&mut limits, &mut first, &arrival(at(0))), AT_ONCE);
    assert_eq!(ask(&mut limits, None, 2, SECOND), AT_ONCE);
    limits[0].refund(&mut first[0], at(SECOND));
    assert_eq!(limits[0].view(None, at(SECOND)).remaining, 0);
}

#[test]
fn two_steps_of_the_clock_admit_no_more_than_twice_either() {
    let mut limits = window(1, 10, true);
    let moment = |(now_ns, unix_ns)| Moment { now_ns, unix_ns };
    for seen in [(12, 12), (15, 21)] {
        limits[0].forget_fresh(moment(seen));
    }
    let asked = [(23, 29), (23, 31), (32, 40), (41, 49), (42, 50)];
    let admitted = asked.map(|asked| enter(&mut limits, moment(asked)));
    assert_eq!(admitted, [true, true, false, false, true]);
}

#[test]
fn a_charge_of_a_calendar_before_is_not_taken_back_from_the_next() {
    let mut limits = window(6, 3 * SECOND, true);
    let mut first = [Ask::new(0, None, 3)];
    assert_eq!(admit(&mut limits, &mut first, &arrival(at(0))), AT_ONCE);
    for (per_ns, aligned) in [(3 * SECOND, false), (SECOND, true)] {
        let [edited] = window(6, per_ns, aligned);
        limits[0].reconfigure(*edited.params(), at(0));
    }
    limits[0].refund(&mut first[0], at(0));
    assert_eq!(limits[0].view(None, at(0)).remaining, 3);
}
