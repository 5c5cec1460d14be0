use std::borrow::Cow;

use policy::Reason;

use super::{fix, hand_on, left_ns, read};
use crate::report::{Direction, Question};
use crate::stages::rescue::Answer;

const MS: u64 = 1_000_000;

fn request(headers: &[(&str, &str)]) -> Question {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Question {
        direction: Direction::Outbound,
        service: crate::ServiceName::new("shop", "cart"),
        method: "GET".into(),
        path: "/".into(),
        headers: headers.iter().map(owned).collect(),
    }
}

fn left_ms(headers: &[(&str, &str)], inherited_ms: Option<u64>) -> Option<u64> {
    let bounds = read(&request(headers), inherited_ms.map(|ms| ms * MS), 0).unwrap();
    left_ns(&bounds).map(|ns| ns / MS)
}

#[test]
fn the_soonest_of_all_bounds_holds() {
    let deadline = ("breakwater-deadline-ms", "500");
    let grpc = ("grpc-timeout", "300m");
    assert_eq!(left_ms(&[], None), None);
    assert_eq!(left_ms(&[deadline], None), Some(500));
    assert_eq!(left_ms(&[deadline, grpc], None), Some(300));
    assert_eq!(left_ms(&[deadline, grpc], Some(200)), Some(200));
    assert_eq!(left_ms(&[("breakwater-deadline-ms", "-1")], None), None);
}

#[test]
fn nothing_left_is_refused_whoever_says_so() {
    for (headers, inherited_ns) in [
        (&[("breakwater-deadline-ms", "0")][..], None),
        (&[], Some(0)),
    ] {
        let refusal = read(&request(headers), inherited_ns, 0).unwrap_err();
        assert_eq!(refusal.reason, Reason::DeadlineExhausted);
    }
}

fn handed_on(headers: &[(&str, &str)], policy_ms: Option<u64>) -> Vec<(Cow<'static, str>, String)> {
    let request = request(headers);
    let bounds = read(&request, None, 0).unwrap();
    let deadline = fix(bounds, policy_ms.map(|ms| ms * MS), 0).unwrap();
    let mut head = Answer {
        status: 0,
        fields: Vec::new(),
        body: String::new(),
    };
    hand_on(deadline, &request, 100 * MS, &mut head);
    head.fields
}

#[test]
fn what_remains_is_handed_on_and_a_grpc_timeout_lowered_never_added() {
    assert!(handed_on(&[], None).is_empty());
    assert_eq!(
        handed_on(&[], Some(500)),
        [("breakwater-deadline-ms".into(), "398".to_owned())]
    );
    let lowered = handed_on(&[("grpc-timeout", "1S")], Some(500));
    assert_eq!(lowered[1], ("grpc-timeout".into(), "398000u".to_owned()));
}
