//! What is left for connections.

use super::*;

fn of(limit: u64, listeners: usize) -> (usize, usize) {
    let bounds = bounds(limit, listeners);
    (bounds.max_connections, bounds.max_descriptors)
}

#[test]
fn every_connection_accepted_may_call_and_the_spare_ones_stay_free() {
    assert_eq!(of(256, 0), (96, 224));
    assert_eq!(of(1_024, 10), (475, 992));
}

#[test]
fn plenty_leave_the_usual_bound() {
    assert_eq!(of(1_048_576, 2).0, Bounds::default().max_connections);
    assert_eq!(
        of(libc::RLIM_INFINITY, 2).0,
        Bounds::default().max_connections
    );
}

#[test]
fn even_few_leave_some_for_connections() {
    assert_eq!(of(64, 100), (16, 48));
}

#[test]
fn the_limit_is_raised_as_far_as_the_system_allows() {
    let first = raise();
    assert!(first > 0);
    assert_eq!(raise(), first);
}
