use super::*;

#[test]
fn streams_that_lived_are_no_waste() {
    let mut patience = Patience::default();
    (0..1_000).for_each(|_| patience.on_leave(MEANT_NS));
    assert!(!patience.is_over());
}

#[test]
fn streams_that_were_never_meant_exhaust_it() {
    let mut patience = Patience::default();
    (0..MOST).for_each(|_| patience.on_leave(0));
    assert!(!patience.is_over());
    patience.on_leave(0);
    assert!(patience.is_over());
}

#[test]
fn a_client_that_hedges_every_call_is_never_told_to_go() {
    let mut patience = Patience::default();
    for _ in 0..10_000 {
        patience.on_leave(0);
        patience.on_end();
    }
    assert!(!patience.is_over());
}
