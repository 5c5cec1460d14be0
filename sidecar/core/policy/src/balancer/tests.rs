use super::*;

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

/// The cheaper of two that are drawn, and the other one.
fn pick(
    ready: &[u32],
    avoid: Option<u32>,
    draw: u64,
    cost: impl FnMut(u32) -> f64,
) -> Option<(u32, u32)> {
    let (first, second) = two_of(ready.len() as u32, draw)?;
    let pair = (ready[first as usize], ready[second as usize]);
    Some(cheaper(pair, avoid, cost))
}

/// Draws that cover every pair of a few endpoints.
fn draws() -> impl Iterator<Item = u64> {
    (0..64).flat_map(|high: u64| (0..64).map(move |low: u64| (high << 58) | (low << 26)))
}

#[test]
fn nothing_is_picked_from_nothing() {
    assert_eq!(pick(&[], None, 7, |_| 1.0), None);
}

#[test]
fn the_only_endpoint_is_picked_even_if_just_tried() {
    assert_eq!(pick(&[4], Some(4), 7, |_| 1.0), Some((4, 4)));
}

#[test]
fn two_choices_are_always_different_and_every_pair_occurs() {
    let mut seen = std::collections::BTreeSet::new();
    for draw in draws() {
        let (first, second) = two_of(4, draw).unwrap();
        assert_ne!(first, second);
        seen.insert((first, second));
    }
    assert_eq!(seen.len(), 12);
}

#[test]
fn of_two_the_cheaper_is_picked() {
    for draw in draws() {
        assert_eq!(pick(&[0, 1], None, draw, f64::from), Some((0, 1)));
    }
}

#[test]
fn the_endpoint_just_tried_is_avoided_while_another_is_ready() {
    for draw in draws() {
        let (picked, _) = pick(&[0, 1, 2], Some(0), draw, f64::from).unwrap();
        assert_ne!(picked, 0);
    }
}

#[test]
fn load_is_the_average_times_calls_in_flight_and_one() {
    let mut load = Load::new(0);
    assert_eq!(load.cost(0, 1), 30e6);
    load.begin();
    load.begin();
    assert_eq!(load.cost(0, 1), 90e6);
    assert_eq!(load.cost(0, 4), 45e6, "as one of four");
    assert_eq!(load.in_flight_of(4), 0.5);
    load.cancel();
    assert_eq!(load.in_flight(), 1);
}

#[test]
fn a_slower_answer_counts_at_once_and_a_faster_one_gradually() {
    let mut load = Load::new(0);
    load.begin();
    load.end(100 * MILLISECOND, MILLISECOND);
    assert_eq!(load.cost(MILLISECOND, 1), 100e6);
    load.begin();
    load.end(10 * MILLISECOND, MILLISECOND + 10 * SECOND);
    let expected = 100e6 * (-1.0_f64).exp() + 10e6 * (1.0 - (-1.0_f64).exp());
    assert!((load.cost(MILLISECOND + 10 * SECOND, 1) - expected).abs() < 1.0);
}

#[test]
fn a_failure_costs_five_seconds_and_retry_after_what_it_asks_for_at_most_five_minutes() {
    assert_eq!(penalty_ns(None), 5 * SECOND);
    assert_eq!(penalty_ns(Some(20 * SECOND)), 20 * SECOND);
    assert_eq!(penalty_ns(Some(3600 * SECOND)), 300 * SECOND);
}

#[test]
fn time_heals_a_penalty() {
    let mut load = Load::new(0);
    load.begin();
    load.end(5 * SECOND, 0);
    assert!(load.cost(60 * SECOND, 1) < 30e6);
}
