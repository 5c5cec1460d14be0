use super::*;
use crate::Reason;

#[test]
fn only_refusals_for_load_are_overload() {
    let words = Reason::ALL.iter().map(|reason| reason.as_str());
    let overload: Vec<_> = words.filter(|word| is_overload(word)).collect();
    let expected = [
        "queue.full",
        "queue.evicted",
        "shed.class",
        "shed.fairness",
        "shed.concurrency",
    ];
    assert_eq!(overload, expected);
}

#[test]
fn one_signal_counts_in_a_tenth_of_a_second() {
    let mut damper = Damper::default();
    let instants = [0, 1, 99_999_999, 100_000_000, 150_000_000, 200_000_000];
    let counted = instants.map(|now_ns| damper.counts(now_ns));
    assert_eq!(counted, [true, false, false, true, false, true]);
}
