use super::*;

const MILLISECOND: u64 = 1_000_000;

#[test]
fn nineteen_attempts_are_not_enough_and_twenty_are() {
    let mut recent = RecentLatency::default();
    (0..19).for_each(|_| recent.record(MILLISECOND, 0));
    assert_eq!(recent.p50_ns(0), None);
    recent.record(MILLISECOND, 0);
    assert!(recent.p50_ns(0).is_some());
}

#[test]
fn the_median_is_within_six_percent() {
    for latency_ns in (1..2000).map(|n| n * MILLISECOND) {
        let mut recent = RecentLatency::default();
        (0..20).for_each(|_| recent.record(latency_ns, 0));
        let p50_ns = recent.p50_ns(0).unwrap();
        assert!(
            p50_ns.abs_diff(latency_ns) * 100 <= latency_ns * 7,
            "{latency_ns} {p50_ns}"
        );
    }
}

#[test]
fn half_of_the_attempts_do_not_exceed_the_median() {
    let mut recent = RecentLatency::default();
    (0..11).for_each(|_| recent.record(MILLISECOND, 0));
    (0..10).for_each(|_| recent.record(1000 * MILLISECOND, 0));
    assert!(recent.p50_ns(0).unwrap() < 2 * MILLISECOND);
}

#[test]
fn attempts_are_forgotten_after_a_minute() {
    let mut recent = RecentLatency::default();
    (0..20).for_each(|_| recent.record(MILLISECOND, 0));
    assert!(recent.p50_ns(MINUTE_NS - 1).is_some());
    assert_eq!(recent.p50_ns(MINUTE_NS), None);
}
