use std::rc::Rc;

use super::Accounts;
use crate::config::ServiceName;
use crate::report::Direction::{Inbound, Outbound};
use crate::tally::Flight;

fn name(number: u64) -> ServiceName {
    ServiceName::new("shop", &format!("s{number}"))
}

/// So many services, each called once, the first the longest ago.
fn called(count: u64) -> Accounts {
    let accounts = Accounts::default();
    for number in 1..=count {
        drop(Flight::begin(
            &accounts.of(Outbound, &name(number), None),
            number,
        ));
    }
    accounts
}

fn known(accounts: &Accounts, count: u64) -> Vec<u64> {
    let is_known = |number: &u64| accounts.has(Outbound, &name(*number));
    (1..=count).filter(is_known).collect()
}

#[test]
fn the_services_called_the_longest_ago_are_forgotten_and_counted() {
    let accounts = called(5);
    drop(Flight::begin(&accounts.of(Outbound, &name(1), None), 6));
    accounts.forget_beyond(5);
    assert_eq!(accounts.size(), (5, 0));
    accounts.forget_beyond(2);
    assert_eq!(known(&accounts, 5), [1, 5]);
    assert_eq!(accounts.size(), (2, 3));
}

#[test]
fn what_is_in_use_is_not_forgotten() {
    let accounts = called(4);
    let flight = Flight::begin(&accounts.of(Outbound, &name(1), None), 1);
    let rule = accounts.of(Outbound, &name(2), Some(&Rc::from("shop/api/0")));
    let held = accounts.of(Inbound, &name(3), None);
    accounts.forget_beyond(0);
    assert_eq!(known(&accounts, 4), [1, 2]);
    assert!(accounts.has(Inbound, &name(3)));
    drop((flight, rule, held));
    accounts.forget_beyond(0);
    assert_eq!(accounts.size(), (0, 5));
}

#[test]
fn counts_of_a_service_that_was_forgotten_begin_anew() {
    let accounts = called(1);
    accounts.forget_beyond(0);
    let again = accounts.of(Outbound, &name(1), None);
    assert_eq!(again.called_ns.get(), 0);
}
