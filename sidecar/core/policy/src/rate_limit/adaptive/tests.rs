use super::*;

const PARAMS: Params = Params {
    min: 10,
    max: 110,
    target: 200,
};

fn adapted(start: u64, measured: &[Option<u64>]) -> Vec<u64> {
    let mut limit = Adaptive::new(PARAMS, start, 0);
    let limits = measured.iter().map(|&measured| limit.adapt(measured, 0));
    limits.collect()
}

#[test]
fn it_grows_in_equal_steps_and_shrinks_by_a_quarter() {
    let measured = [Some(200), Some(0), Some(201), Some(9999), None];
    assert_eq!(adapted(100, &measured), [105, 110, 82, 61, 61]);
}

#[test]
fn a_mean_begins_anew_when_it_is_taken() {
    let mut mean = Mean::default();
    assert_eq!(mean.take(), None);
    [1, 2, 6].into_iter().for_each(|seen| mean.add(seen));
    assert_eq!((mean.take(), mean.take()), (Some(3), None));
}

#[test]
fn it_keeps_within_its_bounds() {
    assert_eq!(adapted(1, &[Some(201); 3]), [10; 3]);
    assert_eq!(adapted(1000, &[Some(0); 3]), [110; 3]);
}

#[test]
fn it_is_due_every_five_seconds() {
    let mut limit = Adaptive::new(PARAMS, 50, 7);
    assert!(!limit.is_due(6 + INTERVAL_NS));
    assert!(limit.is_due(7 + INTERVAL_NS));
    limit.adapt(None, 8 + INTERVAL_NS);
    assert!(!limit.is_due(7 + 2 * INTERVAL_NS));
}

#[test]
fn a_limit_of_one_can_still_grow() {
    let narrow = Params {
        min: 1,
        max: 3,
        target: 0,
    };
    let mut limit = Adaptive::new(narrow, 1, 0);
    assert_eq!(limit.adapt(Some(1), 0), 1);
    assert_eq!(limit.adapt(Some(0), 0), 2);
    assert_eq!(limit.adapt(Some(0), 0), 3);
}

#[test]
fn an_edit_keeps_the_limit_within_the_new_bounds() {
    let mut limit = Adaptive::new(PARAMS, 100, 0);
    limit.reconfigure(Params { max: 50, ..PARAMS });
    assert_eq!(limit.limit(), 50);
    limit.reconfigure(PARAMS);
    assert_eq!(limit.limit(), 50);
}
