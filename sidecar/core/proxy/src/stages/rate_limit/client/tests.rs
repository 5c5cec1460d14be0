use super::*;
use crate::ServiceName;
use crate::report::{Direction, Question};

/// The client of a request with these fields, by so many hops; none: that of the connection.
fn client_of(fields: &[&str], hops: u8) -> Option<String> {
    let named = |value: &&str| ("x-forwarded-for".to_owned(), (*value).to_owned());
    let question = Question {
        direction: Direction::Inbound,
        service: ServiceName::new("shop", "cart"),
        method: "GET".into(),
        path: "/".into(),
        headers: fields.iter().map(named).collect(),
    };
    let found = client(&question, hops);
    (found != question.peer()).then(|| found.to_string())
}

fn some(address: &str) -> Option<String> {
    Some(address.to_owned())
}

#[test]
fn without_trusted_hops_nobody_is_believed() {
    assert_eq!(client_of(&["192.0.2.1"], 0), None);
}

#[test]
fn the_last_addresses_were_written_by_trusted_hops() {
    let chain = ["192.0.2.66, 192.0.2.1, 192.0.2.2"];
    assert_eq!(client_of(&chain, 1), some("192.0.2.2"));
    assert_eq!(client_of(&chain, 2), some("192.0.2.1"));
}

#[test]
fn what_a_client_writes_before_them_changes_nothing() {
    for forged in ["192.0.2.66", "192.0.2.66, 192.0.2.67", "nonsense", ""] {
        assert_eq!(client_of(&[forged, "192.0.2.1"], 1), some("192.0.2.1"));
        let chain = format!("{forged}, 192.0.2.1");
        assert_eq!(client_of(&[&chain], 1), some("192.0.2.1"));
    }
}

#[test]
fn several_fields_are_one_list() {
    let chain = ["192.0.2.66,192.0.2.1", " 192.0.2.2 "];
    assert_eq!(client_of(&chain, 2), some("192.0.2.1"));
}

#[test]
fn who_came_past_the_hops_is_known_by_the_connection() {
    assert_eq!(client_of(&[], 1), None);
    assert_eq!(client_of(&["192.0.2.1"], 2), None);
    assert_eq!(client_of(&["unknown"], 1), None);
}

#[test]
fn addresses_are_read_as_proxies_write_them() {
    for written in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:4711"] {
        assert_eq!(client_of(&[written], 1), some("2001:db8::1"));
    }
    assert_eq!(client_of(&["192.0.2.1:4711"], 1), some("192.0.2.1"));
}
