//! Services that host names lead to, and what waits for these.

use std::net::SocketAddr;

use super::*;

fn bank() -> Wanted {
    Wanted::Host("bank.example".into())
}

fn whole_bank() -> [Resource; 3] {
    [
        endpoints_at("bank", "api.example"),
        outbound("bank", &[]),
        host("bank.example", "bank"),
    ]
}

/// Holds `bank.example`, whose addresses are being looked up.
fn with_bank(now: Instant) -> (Holdings, Vec<Query>) {
    let mut holdings = holdings();
    holdings.demand(&bank(), now, Reach::Connected);
    holdings.accept(response(1, whole_bank()), now);
    holdings.config(now);
    let queries = holdings.take_due(now);
    (holdings, queries)
}

fn found(address: &str) -> Answer {
    Ok(Found {
        addresses: vec![address.parse().unwrap()],
        unreachable: Vec::new(),
        ttl: HOUR,
    })
}

#[test]
fn a_demand_waits_for_the_first_address_of_a_host() {
    let now = Instant::now();
    let (mut holdings, queries) = with_bank(now);
    assert!(holdings.config(now).hosts.is_empty());
    for reach in [Reach::Connected, Reach::Reconnecting, Reach::Alone] {
        assert_eq!(holdings.demand(&bank(), now, reach), Standing::Waits);
    }
    assert!(holdings.resolved(&queries[0], found("192.0.2.1"), now, 0.0));
    assert_eq!(
        holdings.demand(&bank(), now, Reach::Connected),
        Standing::Answered(Supply::Applied)
    );
    assert_eq!(holdings.config(now).hosts.len(), 1);
}

#[test]
fn where_connections_are_led_here_the_addresses_of_named_services_are_followed() {
    let now = Instant::now();
    let bank = ServiceName::new("shop", "bank");
    let captured = Identity::new([]).captured(Vec::new());
    let mut holdings = Holdings::new(captured, []);
    holdings.begin();
    holdings.accept(response(1, [mesh_of("bank")]), now);
    assert_eq!(holdings.take_changes().subscribe, behind(&bank));
    holdings.accept(response(2, whole_bank()), now);
    let addresses = |holdings: &mut Holdings| {
        let found = holdings.config(now).addresses;
        let text = |(address, meaning): (SocketAddr, proxy::config::Meaning)| {
            assert_eq!(
                (meaning.service.name(), meaning.port, meaning.is_endpoint),
                ("bank", 80, true)
            );
            address.to_string()
        };
        found.into_iter().map(text).collect::<Vec<_>>()
    };
    assert!(addresses(&mut holdings).is_empty());
    let queries = holdings.take_due(now);
    holdings.resolved(&queries[0], found("192.0.2.1"), now, 0.0);
    assert_eq!(addresses(&mut holdings), ["192.0.2.1:80"]);
    holdings.resolved(&queries[0], found("192.0.2.2"), now, 0.0);
    assert_eq!(addresses(&mut holdings), ["192.0.2.2:80"]);
    holdings.accept(response(3, [mesh_without_names()]), now);
    assert!(addresses(&mut holdings).is_empty());
}

#[test]
fn an_address_is_nobodys_only_once_host_names_were_looked_up() {
    let now = Instant::now();
    let mut holdings = Holdings::new(Identity::new([]).captured(Vec::new()), []);
    holdings.begin();
    let address = Wanted::Host("192.0.2.1:80".into());
    let demand = |holdings: &mut Holdings, at| holdings.demand(&address, at, Reach::Connected);
    assert_eq!(demand(&mut holdings, now), Standing::Waits);
    let missing = Response {
        missing: vec![Id::new(Kind::Host, "192.0.2.1:80")],
        ..response(1, [mesh_of("bank")])
    };
    holdings.accept(missing, now);
    assert_eq!(demand(&mut holdings, now), Standing::Waits, "not told");
    holdings.accept(response(2, whole_bank()), now);
    holdings.config(now);
    assert_eq!(demand(&mut holdings, now), Standing::Waits, "not looked up");
    let nobodys = Standing::Answered(Supply::Unknown);
    assert_eq!(
        demand(&mut holdings, now + Duration::from_secs(1)),
        nobodys,
        "its time is over"
    );
    for query in holdings.take_due(now) {
        assert_eq!(demand(&mut holdings, now), Standing::Waits, "{query:?}");
        holdings.resolved(&query, found("192.0.2.2"), now, 0.0);
    }
    assert_eq!(demand(&mut holdings, now), nobodys);
}

#[test]
fn an_address_waits_for_no_name_of_a_service_that_is_not_there() {
    let now = Instant::now();
    let mut holdings = Holdings::new(Identity::new([]).captured(Vec::new()), []);
    holdings.begin();
    let address = Wanted::Host("192.0.2.1:80".into());
    holdings.demand(&address, now, Reach::Connected);
    let bank = behind(&ServiceName::new("shop", "bank"));
    let missing = bank.into_iter();
    let missing = missing.chain([Id::new(Kind::Host, "192.0.2.1:80")]);
    holdings.accept(response(1, [mesh_of("bank")]), now);
    holdings.accept(
        Response {
            missing: missing.collect(),
            ..response(2, [])
        },
        now,
    );
    assert_eq!(
        holdings.demand(&address, now, Reach::Connected),
        Standing::Answered(Supply::Unknown)
    );
}

#[test]
fn where_nothing_is_led_here_nobody_follows_named_services() {
    let mut holdings = holdings();
    holdings.begin();
    holdings.accept(response(1, [mesh_of("bank")]), Instant::now());
    assert!(holdings.take_changes().subscribe.is_empty());
}

#[test]
fn a_demand_waits_no_longer_when_the_time_for_lookups_is_over() {
    let now = Instant::now();
    let (mut holdings, _) = with_bank(now);
    let later = now + Duration::from_secs(1);
    assert!(holdings.settle(later));
    assert_eq!(
        holdings.demand(&bank(), later, Reach::Alone),
        Standing::Answered(Supply::Applied)
    );
}

#[test]
fn other_addresses_of_a_host_are_another_cluster() {
    let now = Instant::now();
    let (mut holdings, queries) = with_bank(now);
    let name = ServiceName::new("shop", "bank");
    holdings.resolved(&queries[0], found("192.0.2.1"), now, 0.0);
    let before = holdings.config(now).clusters[&name].clone();
    assert!(!holdings.resolved(&queries[0], found("192.0.2.1"), now, 0.0));
    assert!(Arc::ptr_eq(&before, &holdings.config(now).clusters[&name]));
    assert!(holdings.resolved(&queries[0], found("192.0.2.2"), now, 0.0));
    assert!(!Arc::ptr_eq(&before, &holdings.config(now).clusters[&name]));
}

#[test]
fn endpoints_serve_until_it_is_known_where_new_ones_are() {
    let now = Instant::now();
    let (mut holdings, queries) = with_bank(now);
    let name = ServiceName::new("shop", "bank");
    holdings.resolved(&queries[0], found("192.0.2.1"), now, 0.0);
    let called = |holdings: &mut Holdings| {
        let endpoints = holdings.config(now).clusters[&name].endpoints.clone();
        endpoints[0].addresses[0].map(|address| address.ip().to_string())
    };
    assert_eq!(called(&mut holdings).as_deref(), Some("192.0.2.1"));
    holdings.accept(response(2, [endpoints_at("bank", "other.example")]), now);
    assert_eq!(called(&mut holdings).as_deref(), Some("192.0.2.1"));
    let queries = holdings.take_due(now);
    assert_eq!(&*queries[0].host, "other.example");
    holdings.resolved(&queries[0], found("192.0.2.2"), now, 0.0);
    assert_eq!(called(&mut holdings).as_deref(), Some("192.0.2.2"));
}

#[test]
fn a_restored_host_serves_with_the_addresses_it_had() {
    let now = Instant::now();
    let (mut before, queries) = with_bank(now);
    before.resolved(&queries[0], found("192.0.2.1"), now, 0.0);
    let hosts = before.names().resolved();
    let saved = Saved {
        hosts: hosts
            .map(|(host, addresses)| SavedHost::encode(&host, &addresses))
            .collect(),
        ..saved(&before)
    };
    let mut after = restored(saved, now);
    assert_eq!(after.config(now).hosts.len(), 1);
    assert_eq!(after.take_due(now).len(), 2);
}
