use super::*;

const SECOND: u64 = 1_000_000_000;
const PARAMS: Params = Params {
    interval_ns: 10 * SECOND,
    unhealthy_after: 3,
    healthy_after: 2,
};

fn verdicts(answers: &[bool]) -> Vec<Option<Verdict>> {
    let mut probes = Probes::default();
    answers
        .iter()
        .map(|&has_passed| probes.on_result(&PARAMS, has_passed, 0, 0))
        .collect()
}

#[test]
fn the_first_answer_decides_at_once() {
    assert_eq!(verdicts(&[false]), [Some(Verdict::Unhealthy)]);
    assert_eq!(verdicts(&[true]), [Some(Verdict::Healthy)]);
}

#[test]
fn only_failures_in_a_row_make_it_unhealthy() {
    let found = verdicts(&[true, false, false, true, false, false, false]);
    assert_eq!(found[6], Some(Verdict::Unhealthy));
    assert_eq!(found[1..6], [None; 5]);
}

#[test]
fn only_passes_in_a_row_make_it_healthy_again() {
    let found = verdicts(&[false, true, false, true, true]);
    assert_eq!(found[1..], [None, None, None, Some(Verdict::Healthy)]);
}

#[test]
fn probes_lie_an_interval_apart_a_fifth_more_or_less() {
    let mut probes = Probes::new(&PARAMS, 5 * SECOND, u64::MAX);
    assert_eq!(probes.due_ns(), 15 * SECOND);
    probes.on_result(&PARAMS, true, 20 * SECOND, 0);
    assert_eq!(probes.due_ns(), 28 * SECOND);
    probes.on_result(&PARAMS, true, 30 * SECOND, u64::MAX);
    assert_eq!(probes.due_ns(), 42 * SECOND);
}

#[test]
fn a_shorter_interval_holds_at_once() {
    let mut probes = Probes::default();
    probes.on_result(&PARAMS, true, 0, 0);
    assert_eq!(probes.due_ns(), 8 * SECOND);
    probes.reconfigure(&PARAMS, SECOND, 0);
    assert_eq!(probes.due_ns(), 8 * SECOND, "the same interval");
    let shorter = Params {
        interval_ns: SECOND,
        ..PARAMS
    };
    probes.reconfigure(&shorter, SECOND, u64::MAX);
    assert_eq!(probes.due_ns(), 2 * SECOND + SECOND / 5);
}

/// Names of so many sidecars.
fn checkers(count: u32) -> Vec<u64> {
    (0..count).map(|at| checker(&format!("web-{at}"))).collect()
}

#[test]
fn every_endpoint_has_its_probers_and_the_work_is_shared() {
    let sidecars = checkers(20);
    let mut work = [0; 20];
    for endpoint in 0..200 {
        let endpoint = format!("cart-{endpoint}");
        let probers: Vec<usize> = (0..20)
            .filter(|&at| is_prober(sidecars[at], &sidecars, &endpoint, 3))
            .collect();
        assert_eq!(probers.len(), 3);
        probers.into_iter().for_each(|at| work[at] += 1);
    }
    assert!(
        work.iter().all(|count| (15..=50).contains(count)),
        "{work:?}"
    );
}

#[test]
fn what_others_probe_stays_when_one_leaves() {
    let sidecars = checkers(5);
    for endpoint in ["x", "y", "z"] {
        for &own in &sidecars[..4] {
            if is_prober(own, &sidecars, endpoint, 2) {
                assert!(is_prober(own, &sidecars[..4], endpoint, 2));
            }
        }
    }
}

#[test]
fn few_sidecars_all_probe() {
    let own = checker("a");
    assert!(is_prober(own, &[own], "x", 3));
    assert!(is_prober(own, &[], "x", 1));
    assert!(!is_prober(own, &[own], "x", 0));
}

#[test]
fn most_of_those_that_know_decide() {
    let votes = |healthy, unhealthy| Votes { healthy, unhealthy };
    for (own, others, expected) in [
        (Verdict::Unknown, votes(0, 0), Verdict::Unknown),
        (Verdict::Unhealthy, votes(0, 0), Verdict::Unhealthy),
        (Verdict::Unknown, votes(0, 1), Verdict::Unhealthy),
        (Verdict::Healthy, votes(0, 1), Verdict::Healthy),
        (Verdict::Unhealthy, votes(1, 0), Verdict::Healthy),
        (Verdict::Healthy, votes(0, 2), Verdict::Unhealthy),
        (Verdict::Unhealthy, votes(2, 0), Verdict::Healthy),
        (Verdict::Unhealthy, votes(1, 1), Verdict::Unhealthy),
    ] {
        assert_eq!(together(own, others), expected, "{own:?} {others:?}");
    }
}

#[test]
fn whoever_stands_back_forgets_unless_nobody_else_knows_of_an_unhealthy_endpoint() {
    let unhealthy = || {
        let mut probes = Probes::default();
        probes.on_result(&PARAMS, false, 0, 0);
        probes
    };
    let mut probes = unhealthy();
    probes.stand_back(&PARAMS, Votes::default(), 10 * SECOND, 0);
    assert_eq!(
        (probes.verdict(), probes.due_ns()),
        (Verdict::Unhealthy, 18 * SECOND)
    );
    let healthy = Votes {
        healthy: 1,
        unhealthy: 0,
    };
    probes.stand_back(&PARAMS, healthy, 20 * SECOND, 0);
    assert_eq!(probes.verdict(), Verdict::Unknown);
    let mut probes = Probes::default();
    probes.on_result(&PARAMS, true, 0, 0);
    probes.stand_back(&PARAMS, Votes::default(), 0, 0);
    assert_eq!(probes.verdict(), Verdict::Unknown);
}
