use super::*;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;

/// When an answer ends whose reader took nothing from second 100 on, given since when memory is short.
fn ends(idle_ns: u64, short_since_ns: Option<u64>) -> u64 {
    let since_ns = 100 * SECOND;
    let mut now_ns = since_ns;
    loop {
        let is_short = short_since_ns.is_some_and(|short_ns| short_ns <= now_ns);
        match Params::default().judge(since_ns, idle_ns, is_short, now_ns) {
            Verdict::Over => return now_ns - since_ns,
            Verdict::Waits { until_ns } => {
                assert!(until_ns > now_ns);
                now_ns = until_ns;
            }
        }
    }
}

#[test]
fn with_memory_enough_a_reader_has_its_whole_time() {
    assert_eq!(ends(5 * MINUTE, None), 5 * MINUTE);
}

#[test]
fn while_memory_is_short_it_has_thirty_seconds() {
    assert_eq!(ends(5 * MINUTE, Some(0)), 30 * SECOND);
}

#[test]
fn a_shorter_time_of_its_own_stays() {
    assert_eq!(ends(10 * SECOND, Some(0)), 10 * SECOND);
    assert_eq!(ends(10 * SECOND, None), 10 * SECOND);
}

#[test]
fn memory_that_becomes_short_meanwhile_is_noticed_within_a_second() {
    for late_ns in [31 * SECOND, 90 * SECOND + 1] {
        let end_ns = ends(5 * MINUTE, Some(100 * SECOND + late_ns));
        assert!((late_ns..=late_ns + SECOND).contains(&end_ns), "{end_ns}");
    }
}

#[test]
fn nobody_is_woken_before_it_matters() {
    let first = Params::default().judge(0, 5 * MINUTE, false, 0);
    assert_eq!(
        first,
        Verdict::Waits {
            until_ns: 30 * SECOND
        }
    );
}
