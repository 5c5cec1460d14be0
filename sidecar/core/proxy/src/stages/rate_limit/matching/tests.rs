use std::net::IpAddr;

use super::{applies, begins_with_segments, contains};
use crate::config::{HeaderMatch, PathMatch, RequestMatch};
use crate::report::{Direction, Question};

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Question {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Question {
        direction: Direction::Inbound,
        service: crate::ServiceName::new("shop", "cart"),
        method: method.into(),
        path: path.into(),
        headers: headers.iter().map(owned).collect(),
    }
}

#[test]
fn a_prefix_is_made_of_whole_segments() {
    for (path, prefix, holds) in [
        ("/cart", "/cart", true),
        ("/cart/7", "/cart", true),
        ("/cart/7", "/cart/", true),
        ("/cartoon", "/cart", false),
        ("/", "/", true),
        ("/anything", "/", true),
    ] {
        let found = begins_with_segments(path.as_bytes(), prefix.as_bytes());
        assert_eq!(found, holds, "{path} {prefix}");
    }
}

#[test]
fn all_parts_of_a_match_hold_and_any_of_several_matches() {
    let orders = RequestMatch {
        methods: vec!["POST".into()],
        path: Some(PathMatch::Exact("/orders".into())),
        headers: vec![HeaderMatch::Value {
            name: "x-plan".into(),
            value: "free".into(),
        }],
    };
    let unnamed = RequestMatch {
        headers: vec![HeaderMatch::Presence {
            name: "x-user".into(),
            present: false,
        }],
        ..RequestMatch::default()
    };
    let matches = [orders, unnamed];
    let user = ("x-user", "a");
    let applies = |method, path, headers: &[_]| applies(&matches, &request(method, path, headers));
    assert!(applies(
        "POST",
        "/%6frders?x=1",
        &[user, ("x-plan", "free")]
    ));
    assert!(!applies("GET", "/orders", &[user, ("x-plan", "free")]));
    assert!(!applies("POST", "/orders/1", &[user, ("x-plan", "free")]));
    assert!(!applies("POST", "/orders", &[user, ("x-plan", "gold")]));
    assert!(applies("GET", "/", &[]));
    assert!(super::applies(&[], &request("GET", "/", &[])));
}

#[test]
fn each_of_several_values_is_judged_by_itself() {
    let matches = [RequestMatch {
        headers: vec![HeaderMatch::Value {
            name: "x-plan".into(),
            value: "free".into(),
        }],
        ..RequestMatch::default()
    }];
    let both = [("x-plan", "gold"), ("x-plan", "free")];
    assert!(applies(&matches, &request("GET", "/", &both)));
    assert!(!applies(
        &matches,
        &request("GET", "/", &[("x-plan", "free, gold")])
    ));
}

#[test]
fn blocks_of_addresses_hold_to_the_bit() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    for (network, prefix, peer, holds) in [
        ("10.0.0.0", 8, "10.255.0.1", true),
        ("10.0.0.0", 8, "11.0.0.1", false),
        ("10.0.0.0", 8, "::ffff:10.1.2.3", true),
        ("0.0.0.0", 0, "203.0.113.9", true),
        ("192.0.2.7", 32, "192.0.2.6", false),
        ("2001:db8::", 32, "2001:db8:ffff::1", true),
        ("2001:db8::", 32, "2001:db9::1", false),
        ("::", 0, "10.0.0.1", false),
    ] {
        assert_eq!(
            contains(address(network), prefix, address(peer)),
            holds,
            "{network}/{prefix} {peer}"
        );
    }
}
