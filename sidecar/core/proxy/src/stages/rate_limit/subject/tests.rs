use std::collections::HashSet;
use std::hash::RandomState;
use std::net::IpAddr;

use policy::rate_limit::{Algorithm, Params, Rate, WhenKeysFull};

use super::{Subject, ask, flow, network, of};
use crate::config::{self, Cost, Limit, OnMissing};
use crate::report::{Direction, Question};

fn request(path: &str, headers: &[(&str, &str)]) -> Question {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Question {
        direction: Direction::Inbound,
        service: crate::ServiceName::new("shop", "cart"),
        method: "GET".into(),
        path: path.into(),
        headers: headers.iter().map(owned).collect(),
    }
}

fn limit(by: Vec<config::Subject>, on_missing: OnMissing) -> Limit {
    Limit {
        name: "x".into(),
        by,
        on_missing,
        matches: Vec::new(),
        cost: Cost::Fixed(1),
        params: Params {
            algorithm: Algorithm::SlidingLog {
                rate: Rate::new(1, 1),
            },
            max_keys: 1,
            when_keys_full: WhenKeysFull::ShareOne,
            count_refused: false,
        },
        reason: policy::Reason::RatelimitToken,
        adaptive: None,
        is_divided: false,
    }
}

#[test]
fn parts_are_told_apart_wherever_they_come_from() {
    let hasher = RandomState::new();
    let by = vec![
        config::Subject::Header("x-user".into()),
        config::Subject::Cookie("s".into()),
        config::Subject::Query("q".into()),
        config::Subject::Path,
        config::Subject::Method,
        config::Subject::SourceIp { hops: 0 },
    ];
    let limit = limit(by, OnMissing::Skip);
    let key = |path, headers: &[_]| match of(&limit, &request(path, headers), &hasher) {
        Subject::Keyed(key) => key,
        other => panic!("expected a key, found {other:?}"),
    };
    let (user, cookie) = (("x-user", "a"), ("cookie", "t=1; s=2"));
    let first = key("/p?q=1", &[user, cookie]);
    assert_eq!(first, key("/x/../p?z=0&q=1", &[cookie, user]));
    assert_ne!(first, key("/p?q=2", &[user, cookie]));
    assert_ne!(first, key("/p?q=1", &[("x-user", "b"), cookie]));
    assert_ne!(first, key("/p?q=1", &[user, ("cookie", "s=3")]));
    assert_ne!(first, key("/r?q=1", &[user, cookie]));
}

#[test]
fn the_border_between_two_parts_counts() {
    let hasher = RandomState::new();
    let by = ["a", "b"].map(|name| config::Subject::Header(name.into()));
    let limit = limit(by.to_vec(), OnMissing::Skip);
    let key = |a, b| of(&limit, &request("/", &[("a", a), ("b", b)]), &hasher);
    assert_ne!(key("xy", "z"), key("x", "yz"));
}

#[test]
fn requests_that_lack_any_part_share_one_count_or_what_is_told() {
    let hasher = RandomState::new();
    let by = || {
        ["a", "b"]
            .map(|name| config::Subject::Header(name.into()))
            .to_vec()
    };
    let shared = limit(by(), OnMissing::ShareOne);
    let subject = |limit: &Limit, headers: &[_]| of(limit, &request("/", headers), &hasher);
    assert_eq!(
        subject(&shared, &[("a", "1")]),
        subject(&shared, &[("b", "2")])
    );
    assert_eq!(
        subject(&limit(by(), OnMissing::Skip), &[]),
        Subject::Skipped
    );
    assert_eq!(
        subject(&limit(by(), OnMissing::Refuse), &[]),
        Subject::Refused
    );
    assert_eq!(
        subject(&limit(Vec::new(), OnMissing::Refuse), &[]),
        Subject::One
    );
}

#[test]
fn an_ipv6_customer_is_known_by_64_bits() {
    let of = |text: &str| network(text.parse::<IpAddr>().unwrap());
    assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
    assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    assert_eq!(of("10.0.0.1"), of("::ffff:10.0.0.1"));
}

#[test]
fn a_cost_that_is_no_number_is_the_default() {
    let header = Cost::Header {
        name: "x-cost".into(),
        default: 3,
    };
    let costs = |value| ask(&header, 0, None, &request("/", &[("x-cost", value)])).cost();
    assert_eq!(
        (costs("7"), costs(" 7 "), costs("-7"), costs("seven")),
        (7, 7, 3, 3)
    );
    assert_eq!(ask(&header, 0, None, &request("/", &[])).cost(), 3);
}

#[test]
fn a_user_takes_turns_as_the_same_whatever_else_it_sends() {
    let hasher = RandomState::new();
    let by = [config::Subject::Header("x-user".into())];
    let flow_of = |path: &str, headers: &[_]| flow(&by, &request(path, headers), &hasher);
    let users: Vec<_> = (0..100).map(|user| format!("user-{user}")).collect();
    let plain = users
        .iter()
        .map(|user| flow_of("/", &[("x-user", user.as_str())]));
    let flows: Vec<_> = plain.collect();
    for (user, flow) in users.iter().zip(&flows) {
        let others = [("cookie", "a=b"), ("x-user", user.as_str())];
        assert_eq!(flow_of("/cart/7?x=y", &others), *flow);
    }
    let apart: HashSet<_> = flows.into_iter().chain([flow_of("/", &[])]).collect();
    assert_eq!(apart.len(), users.len() + 1);
}
