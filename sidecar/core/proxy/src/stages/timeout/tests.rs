use std::time::Duration;

use policy::Reason;
use policy::deadline::{Bounds, Deadline};
use policy::ending::Ending;

use super::{BodyBounds, body_bounds, headers_by};
use crate::config::Timeouts;

const MS: u64 = 1_000_000;

fn timeouts(per_try_ms: u64) -> Timeouts {
    Timeouts {
        per_try: Some(Duration::from_millis(per_try_ms)),
        stream_idle: Some(Duration::from_millis(7)),
        max_stream: Some(Duration::from_millis(70)),
        ..Timeouts::default()
    }
}

fn deadline(policy_ms: u64, carried_ms: Option<u64>) -> Option<Deadline> {
    let bounds = Bounds {
        policy_ns: Some(policy_ms * MS),
        carried_ns: carried_ms.map(|ms| ms * MS),
        grpc_ns: None,
    };
    Deadline::fix(&bounds, 0).unwrap()
}

fn headers(per_try_ms: u64, deadline: Option<Deadline>, began_ms: u64) -> Option<(u64, Ending)> {
    let by = headers_by(&timeouts(per_try_ms), deadline, began_ms * MS);
    by.map(|by| (by.at_ns / MS, by.ending))
}

#[test]
fn headers_are_due_at_the_sooner_of_attempt_and_deadline() {
    assert_eq!(
        headers(10, deadline(100, None), 50),
        Some((60, Ending::PerTryTimeout))
    );
    assert_eq!(
        headers(80, deadline(100, None), 50),
        Some((100, Ending::RequestTimeout))
    );
    assert_eq!(
        headers(80, deadline(100, Some(90)), 50),
        Some((90, Ending::CallerDeadline))
    );
    assert_eq!(headers(80, None, 50), Some((130, Ending::PerTryTimeout)));
}

#[test]
fn at_one_instant_the_deadline_comes_first() {
    assert_eq!(
        headers(50, deadline(100, None), 50),
        Some((100, Ending::RequestTimeout))
    );
}

#[test]
fn a_body_is_due_by_the_deadline_and_a_stream_by_its_own_bounds() {
    let deadline = deadline(100, None);
    let whole = body_bounds(&timeouts(1), deadline, false, 50 * MS);
    let until = Some((100 * MS, Reason::TimeoutRequest));
    assert_eq!(
        whole,
        BodyBounds {
            until,
            idle_ns: None,
            still_ns: Some(7 * MS)
        }
    );
    let stream = body_bounds(&timeouts(1), deadline, true, 50 * MS);
    let until = Some((120 * MS, Reason::TimeoutRequest));
    assert_eq!(
        stream,
        BodyBounds {
            until,
            idle_ns: Some(7 * MS),
            still_ns: Some(7 * MS)
        }
    );
}
