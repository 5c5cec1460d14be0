use super::*;

const SECOND: u64 = 1_000_000_000;

fn budget(percent: Percent, floor: Rate) -> Budget {
    Budget::new(Params {
        percent,
        interval_ns: 10 * SECOND,
        floor,
    })
}

const NO_FLOOR: Rate = Rate {
    count: 0,
    per_ns: SECOND,
};

#[test]
fn a_fifth_of_the_requests_may_be_retried() {
    let mut budget = budget(Percent::new(20), NO_FLOOR);
    for _ in 0..9 {
        budget.deposit(0);
    }
    assert!(budget.spend(0).is_some());
    assert!(budget.spend(0).is_none());
    budget.deposit(0);
    assert!(budget.spend(0).is_some());
}

#[test]
fn a_percentage_that_does_not_divide_a_hundred_is_not_truncated() {
    let mut budget = budget(Percent::new(30), NO_FLOOR);
    for _ in 0..1000 {
        budget.deposit(0);
    }
    assert_eq!((0..1000).filter(|_| budget.spend(0).is_some()).count(), 300);
}

#[test]
fn the_floor_is_spent_without_a_request() {
    let mut budget = budget(
        Percent::new(20),
        Rate {
            count: 1,
            per_ns: 3 * SECOND,
        },
    );
    assert_eq!((0..10).filter(|_| budget.spend(0).is_some()).count(), 3);
}

#[test]
fn a_refused_attempt_returns_its_retry() {
    let mut budget = budget(Percent::new(100), NO_FLOOR);
    budget.deposit(0);
    let spent = budget.spend(0).unwrap();
    assert_eq!(budget.available(0), 0);
    budget.refund(spent);
    assert_eq!(budget.available(0), 1);
}

#[test]
fn requests_are_forgotten_after_the_interval() {
    let mut budget = budget(Percent::new(100), NO_FLOOR);
    budget.deposit(0);
    assert_eq!(budget.available(10 * SECOND - 1), 1);
    assert_eq!(budget.available(10 * SECOND), 0);
}

#[test]
fn new_figures_keep_what_was_spent() {
    let mut budget = budget(Percent::new(100), NO_FLOOR);
    for _ in 0..10 {
        budget.deposit(0);
    }
    let _ = budget.spend(0);
    budget.reconfigure(Params {
        percent: Percent::new(50),
        ..budget.params
    });
    assert_eq!(budget.available(0), 4);
}
