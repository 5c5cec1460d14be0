use super::*;

const MILLISECOND: u64 = 1_000_000;

#[test]
fn a_bound_belongs_to_its_own_bucket() {
    let mut histogram = Histogram::default();
    histogram.record(500_000);
    histogram.record(500_001);
    histogram.record(u64::MAX / 2);
    let counts = histogram.counts();
    assert_eq!((counts[0], counts[1], counts[BUCKETS - 1]), (1, 1, 1));
    assert_eq!(histogram.count(), 3);
}

#[test]
fn merged_histograms_are_as_if_recorded_in_one() {
    let (mut one, mut other, mut both) = (
        Histogram::default(),
        Histogram::default(),
        Histogram::default(),
    );
    for latency_ns in (0..100).map(|n| n * 7 * MILLISECOND) {
        if latency_ns % 2 == 0 {
            one.record(latency_ns)
        } else {
            other.record(latency_ns)
        }
        both.record(latency_ns);
    }
    one.merge(&other);
    assert_eq!(one, both);
}

#[test]
fn quantiles_lie_in_the_bucket_of_their_rank() {
    let mut histogram = Histogram::default();
    (0..90).for_each(|_| histogram.record(3 * MILLISECOND));
    (0..10).for_each(|_| histogram.record(200 * MILLISECOND));
    let quantile = |percent| histogram.quantile_ns(Percent::new(percent)).unwrap();
    assert!((2_500_000..=5_000_000).contains(&quantile(50)));
    assert_eq!(quantile(90), 5 * MILLISECOND);
    assert!((100 * MILLISECOND..=250 * MILLISECOND).contains(&quantile(91)));
    assert_eq!(quantile(100), 250 * MILLISECOND);
}

#[test]
fn what_is_longer_than_every_bound_is_told_as_the_last_bound() {
    let mut histogram = Histogram::default();
    histogram.record(u64::MAX);
    assert_eq!(
        histogram.quantile_ns(Percent::new(50)),
        Some(10_000 * MILLISECOND)
    );
}

#[test]
fn an_empty_histogram_has_no_quantiles() {
    assert_eq!(Histogram::default().quantile_ns(Percent::new(50)), None);
}
