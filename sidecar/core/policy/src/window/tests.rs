use super::*;

#[test]
fn a_count_is_kept_for_nine_buckets_more_and_then_forgotten() {
    let mut window = TenBuckets::<1>::new(100);
    window.add(5, 0);
    assert_eq!(window.totals(99), &[1]);
    assert_eq!(window.totals(100), &[0]);
}

#[test]
fn a_long_silence_forgets_everything() {
    let mut window = TenBuckets::<2>::new(100);
    for now_ns in 0..100 {
        window.add(now_ns, (now_ns % 2) as usize);
    }
    assert_eq!(window.totals(99), &[50, 50]);
    assert_eq!(window.totals(u64::MAX), &[0, 0]);
}

#[test]
fn an_instant_before_the_newest_counts_as_the_newest() {
    let mut window = TenBuckets::<1>::new(100);
    window.add(95, 0);
    assert_eq!(window.add(3, 0), 9);
    assert_eq!(window.totals(189), &[2]);
}

#[test]
fn what_is_taken_back_leaves_its_own_bucket() {
    let mut window = TenBuckets::<1>::new(100);
    let first = window.add(5, 0);
    window.add(15, 0);
    window.take_back(first, 0);
    assert_eq!(window.totals(105), &[1]);
    assert_eq!(window.totals(110), &[0]);
}

#[test]
fn taking_back_from_a_forgotten_bucket_changes_nothing() {
    let mut window = TenBuckets::<1>::new(100);
    let first = window.add(5, 0);
    window.add(105, 0);
    window.take_back(first, 0);
    assert_eq!(window.totals(105), &[1]);
}
