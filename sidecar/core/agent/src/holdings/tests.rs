//! What responses, demands and time do to what is held.

use std::time::Duration;

use super::*;
use crate::builders::{
    endpoints, endpoints_at, endpoints_in, host, inbound, mesh_of, mesh_without_names, outbound,
    unreadable, workload, workload_in,
};
use crate::identity::WorkloadPort;
use crate::names::Found;

const HOUR: Duration = Duration::from_secs(3_600);

fn holdings() -> Holdings {
    Holdings::new(Identity::new([ServiceName::new("shop", "storefront")]), [])
}

fn cart() -> Wanted {
    Wanted::Host("cart.shop".into())
}

fn response(revision: i64, resources: impl IntoIterator<Item = Resource>) -> Response {
    Response {
        revision,
        resources: resources.into_iter().collect(),
        ..Response::default()
    }
}

fn removal(ids: &[(Kind, &str)]) -> Response {
    let removed = ids
        .iter()
        .map(|(kind, name)| Id::new(*kind, *name))
        .collect();
    Response {
        revision: 9,
        removed,
        ..Response::default()
    }
}

fn whole_cart() -> [Resource; 3] {
    [
        endpoints("cart"),
        outbound("cart", &[]),
        host("cart.shop", "cart"),
    ]
}

/// Holds `cart.shop`, called last at `now`.
fn with_cart(now: Instant) -> Holdings {
    let mut holdings = holdings();
    holdings.demand(&cart(), now, Reach::Connected);
    holdings.accept(response(1, whole_cart()), now);
    holdings
}

fn saved(holdings: &Holdings) -> Saved {
    let encode = |resources: Vec<Arc<Resource>>| {
        resources.iter().map(|resource| resource.encode()).collect()
    };
    Saved {
        revision: holdings.revision(),
        applied: encode(holdings.resources()),
        lapsed: encode(holdings.lapsed()),
        ..Saved::default()
    }
}

fn restored(saved: Saved, now: Instant) -> Holdings {
    let mut holdings = holdings();
    holdings.restore(saved, now);
    holdings
}

#[test]
fn a_demand_is_answered_once_all_that_it_needs_is_held() {
    let now = Instant::now();
    let mut holdings = holdings();
    for resource in whole_cart() {
        assert_eq!(
            holdings.demand(&cart(), now, Reach::Connected),
            Standing::Waits
        );
        holdings.accept(response(1, [resource]), now);
    }
    assert_eq!(
        holdings.demand(&cart(), now, Reach::Connected),
        Standing::Answered(Supply::Applied)
    );
    assert_eq!(holdings.config(Instant::now()).hosts.len(), 1);
}

#[test]
fn a_refused_resource_keeps_its_older_version_and_holds_up_no_other() {
    let now = Instant::now();
    let mut holdings = with_cart(now);
    let before = holdings.config(Instant::now());
    let outcome = holdings.accept(
        response(
            2,
            [
                unreadable(Kind::Outbound, "shop/cart"),
                inbound("storefront"),
            ],
        ),
        now,
    );
    assert_eq!(outcome.rejections.len(), 1);
    let after = holdings.config(Instant::now());
    let name = ServiceName::new("shop", "cart");
    assert!(Arc::ptr_eq(&before.clusters[&name], &after.clusters[&name]));
    assert_eq!(after.inbound.len(), 1);
}

#[test]
fn the_revision_waits_for_everything_to_be_applied() {
    let now = Instant::now();
    let mut holdings = with_cart(now);
    holdings.accept(response(2, [unreadable(Kind::Outbound, "shop/cart")]), now);
    assert_eq!(holdings.revision(), 1);
    holdings.accept(response(3, [outbound("cart", &["POST"])]), now);
    assert_eq!(holdings.revision(), 3);
    assert!(holdings.rejections().is_empty());
}

#[test]
fn a_service_that_was_refused_is_unavailable_at_once() {
    let now = Instant::now();
    let mut holdings = holdings();
    holdings.demand(&cart(), now, Reach::Connected);
    let resources = [
        endpoints("cart"),
        unreadable(Kind::Outbound, "shop/cart"),
        host("cart.shop", "cart"),
    ];
    holdings.accept(response(1, resources), now);
    assert_eq!(
        holdings.demand(&cart(), now, Reach::Connected),
        Standing::Answered(Supply::Unavailable)
    );
}

#[test]
fn what_is_held_already_changes_nothing() {
    let now = Instant::now();
    let mut holdings = with_cart(now);
    assert_eq!(
        holdings.accept(response(1, whole_cart()), now),
        Outcome::default()
    );
}

#[test]
fn only_the_cluster_that_changed_is_built_anew() {
    let now = Instant::now();
    let mut holdings = with_cart(now);
    holdings.demand(&Wanted::Host("payments.shop".into()), now, Reach::Connected);
    let payments = [
        endpoints("payments"),
        outbound("payments", &[]),
        host("payments.shop", "payments"),
    ];
    holdings.accept(response(2, payments), now);
    let before = holdings.config(Instant::now());
    holdings.accept(response(3, [outbound("cart", &["POST"])]), now);
    let after = holdings.config(Instant::now());
    let is_same = |name: &ServiceName| Arc::ptr_eq(&before.clusters[name], &after.clusters[name]);
    assert!(is_same(&ServiceName::new("shop", "payments")));
    assert!(!is_same(&ServiceName::new("shop", "cart")));
}

#[test]
fn what_is_missing_is_unknown() {
    let now = Instant::now();
    let mut holdings = holdings();
    holdings.demand(&cart(), now, Reach::Connected);
    let missing = vec![Id::new(Kind::Host, "cart.shop")];
    holdings.accept(
        Response {
            revision: 1,
            missing,
            ..Response::default()
        },
        now,
    );
    assert_eq!(
        holdings.demand(&cart(), now, Reach::Connected),
        Standing::Answered(Supply::Unknown)
    );
}

#[test]
fn what_is_removed_is_gone() {
    let now = Instant::now();
    let mut holdings = with_cart(now);
    let gone = [
        (Kind::Host, "cart.shop"),
        (Kind::Outbound, "shop/cart"),
        (Kind::Endpoints, "shop/cart"),
    ];
    assert!(holdings.accept(removal(&gone), now).is_changed);
    assert!(holdings.config(Instant::now()).clusters.is_empty());
    assert!(holdings.lapsed().is_empty());
}

#[test]
fn an_own_service_without_rules_has_none_to_enforce() {
    let now = Instant::now();
    let mut holdings = holdings();
    assert!(holdings.config(Instant::now()).inbound.is_empty());
    let missing = vec![Id::new(Kind::Inbound, "shop/storefront")];
    holdings.accept(
        Response {
            revision: 1,
            missing,
            ..Response::default()
        },
        now,
    );
    assert_eq!(holdings.config(Instant::now()).inbound.len(), 1);
}

#[test]
fn the_rules_of_an_own_service_hold_on_when_nobody_of_it_is_registered() {
    let now = Instant::now();
    let mut holdings = holdings();
    holdings.accept(response(1, [inbound("storefront")]), now);
    let gone = removal(&[(Kind::Inbound, "shop/storefront")]);
    assert!(!holdings.accept(gone, now).is_changed);
    assert_eq!(holdings.resources().len(), 1);
}

#[test]
fn an_idle_host_lapses_and_comes_back_when_nobody_can_be_asked() {
    let now = Instant::now();
    let mut holdings = with_cart(now);
    assert!(holdings.expire(now + HOUR));
    assert!(holdings.resources().is_empty());
    assert_eq!(holdings.lapsed().len(), 3);
    assert_eq!(
        holdings.demand(&cart(), now + HOUR, Reach::Alone),
        Standing::Restored
    );
    assert_eq!(
        holdings.demand(&cart(), now + HOUR, Reach::Alone),
        Standing::Answered(Supply::Applied)
    );
    assert!(holdings.lapsed().is_empty());
}

#[test]
fn a_lapsed_host_waits_for_nobody_to_come_back() {
    let now = Instant::now();
    let mut holdings = with_cart(now);
    holdings.expire(now + HOUR);
    assert_eq!(
        holdings.demand(&cart(), now + HOUR, Reach::Reconnecting),
        Standing::Restored
    );
}

#[test]
fn an_unknown_host_waits_for_somebody_to_come_back() {
    assert_eq!(
        holdings().demand(&cart(), Instant::now(), Reach::Reconnecting),
        Standing::Waits
    );
}

#[test]
fn a_lapsed_host_is_asked_for_when_somebody_is_there() {
    let now = Instant::now();
    let mut holdings = with_cart(now);
    holdings.expire(now + HOUR);
    assert_eq!(
        holdings.demand(&cart(), now + HOUR, Reach::Connected),
        Standing::Waits
    );
}

#[test]
fn calls_keep_a_host() {
    let now = Instant::now();
    let mut holdings = with_cart(now);
    holdings.called(&ServiceName::new("shop", "cart"), now + HOUR / 2);
    assert!(!holdings.expire(now + HOUR));
}

#[test]
fn a_service_stays_while_another_host_leads_to_it() {
    let now = Instant::now();
    let mut holdings = with_cart(now);
    let alias = Wanted::Host("basket.shop".into());
    holdings.demand(&alias, now + HOUR / 2, Reach::Connected);
    holdings.accept(response(2, [host("basket.shop", "cart")]), now + HOUR / 2);
    assert!(holdings.expire(now + HOUR));
    assert_eq!(
        holdings.demand(&alias, now + HOUR, Reach::Connected),
        Standing::Answered(Supply::Applied)
    );
}

#[test]
fn nobody_to_ask_and_nothing_held_is_unavailable() {
    let now = Instant::now();
    assert_eq!(
        holdings().demand(&cart(), now, Reach::Alone),
        Standing::Answered(Supply::Unavailable)
    );
}

#[test]
fn a_restart_serves_and_holds_what_was_saved() {
    let now = Instant::now();
    let mut before = with_cart(now);
    before.accept(response(4, [inbound("storefront")]), now);
    let mut after = restored(saved(&before), now);
    assert_eq!(after.revision(), 4);
    assert_eq!(
        after.demand(&cart(), now, Reach::Alone),
        Standing::Answered(Supply::Applied)
    );
    let (held, wanted) = after.begin();
    assert_eq!(held.len(), 4);
    assert!(wanted.contains(&Id::new(Kind::Host, "cart.shop")));
}

#[test]
fn a_restart_knows_what_has_lapsed() {
    let now = Instant::now();
    let mut before = with_cart(now);
    before.expire(now + HOUR);
    let mut after = restored(saved(&before), now);
    assert!(after.config(Instant::now()).hosts.is_empty());
    assert_eq!(after.demand(&cart(), now, Reach::Alone), Standing::Restored);
}

#[test]
fn a_port_of_its_own_asks_for_its_service_from_the_start() {
    let identity = Identity::new([ServiceName::new("shop", "storefront")]);
    let mut holdings = Holdings::new(identity, [ServiceName::new("shop", "db")]);
    let (_, wanted) = holdings.begin();
    assert!(wanted.contains(&Id::new(Kind::Endpoints, "shop/db")));
    let now = Instant::now();
    holdings.accept(response(1, [endpoints("db"), outbound("db", &[])]), now);
    let demand = Wanted::Service(ServiceName::new("shop", "db"));
    assert_eq!(
        holdings.demand(&demand, now, Reach::Alone),
        Standing::Answered(Supply::Applied)
    );
    assert!(!holdings.expire(now + 2 * HOUR));
}

#[test]
fn a_refusal_is_forgotten_with_the_name_that_brought_it() {
    let now = Instant::now();
    let mut holdings = with_cart(now);
    holdings.accept(response(2, [unreadable(Kind::Outbound, "shop/cart")]), now);
    holdings.expire(now + HOUR);
    assert!(holdings.rejections().is_empty());
}

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

/// A pod with two ports, whose services the control plane knows.
fn pod() -> Holdings {
    let port = |number: u16| WorkloadPort {
        name: ServiceName::new("shop", &format!("pod:{number}")),
        numbers: [number, number + 1_000],
    };
    let workload = Workload {
        name: ServiceName::new("shop", "pod"),
        ports: vec![port(15_006), port(15_007)],
    };
    Holdings::new(Identity::of(workload), [])
}

/// The service under whose name each port enforces, by the port.
fn enforced(holdings: &mut Holdings) -> Vec<(String, String)> {
    let inbound = holdings.config(Instant::now()).inbound;
    let text = |(port, inbound): (ServiceName, Arc<proxy::config::Inbound>)| {
        (port.name().to_owned(), inbound.service.name().to_owned())
    };
    let mut found: Vec<_> = inbound.into_iter().map(text).collect();
    found.sort();
    found
}

#[test]
fn a_workload_asks_for_what_it_stands_behind_and_for_its_services_once_it_knows_them() {
    let now = Instant::now();
    let mut holdings = pod();
    let asked = holdings.begin().1;
    assert_eq!(
        asked,
        [
            Id::new(Kind::Mesh, "default"),
            Id::new(Kind::Workload, "shop/pod")
        ]
    );
    holdings.accept(
        response(1, [workload("pod", &[(15_006, "cart"), (16_007, "till")])]),
        now,
    );
    let changes = holdings.take_changes();
    let own = ["shop/cart", "shop/till"].map(|name| Id::new(Kind::Inbound, name));
    assert_eq!(changes.subscribe, own);
    let at = |port: &str, name: &str| (port.to_owned(), name.to_owned());
    let both = [at("pod:15006", "cart"), at("pod:15007", "till")];
    assert_eq!(
        enforced(&mut holdings),
        both,
        "a port is known by the application's number too"
    );
    holdings.accept(response(2, [workload("pod", &[(15_006, "till")])]), now);
    assert_eq!(holdings.take_changes().unsubscribe, own[..1]);
    assert_eq!(enforced(&mut holdings), [at("pod:15006", "till")]);
}

#[test]
fn a_workload_behind_nothing_serves_without_rules() {
    let now = Instant::now();
    let mut holdings = pod();
    let missing = vec![Id::new(Kind::Workload, "shop/pod")];
    holdings.accept(
        Response {
            revision: 1,
            missing,
            ..Response::default()
        },
        now,
    );
    assert!(enforced(&mut holdings).is_empty());
    assert!(holdings.services().is_empty());
}

#[test]
fn what_a_workload_stands_behind_holds_on_when_the_cluster_says_nothing_of_it() {
    let now = Instant::now();
    let mut holdings = pod();
    holdings.accept(
        response(1, [workload("pod", &[(15_006, "cart")]), inbound("cart")]),
        now,
    );
    holdings.accept(removal(&[(Kind::Workload, "shop/pod")]), now);
    assert_eq!(enforced(&mut holdings).len(), 1);
}

#[test]
fn a_restored_workload_stands_behind_what_it_did() {
    let now = Instant::now();
    let mut holdings = pod();
    holdings.accept(
        response(1, [workload("pod", &[(15_006, "cart")]), inbound("cart")]),
        now,
    );
    let saved = saved(&holdings);
    let mut restored = pod();
    restored.restore(saved, now);
    assert_eq!(enforced(&mut restored).len(), 1);
    assert_eq!(restored.services(), [ServiceName::new("shop", "cart")]);
}

#[test]
fn a_workload_that_learns_its_zone_has_the_endpoints_of_it_nearby() {
    let now = Instant::now();
    let mut holdings = pod();
    let called = [outbound("till", &[]), endpoints_in("till", "a")];
    let members = [(15_006, "cart")];
    holdings.accept(
        response(1, called.into_iter().chain([workload("pod", &members)])),
        now,
    );
    let mut is_near = |zone: &str| {
        holdings.accept(response(2, [workload_in(zone, "pod", &members)]), now);
        let clusters = holdings.config(now).clusters;
        clusters[&ServiceName::new("shop", "till")].endpoints[0].is_near
    };
    assert!(is_near("a"));
    assert!(!is_near("b"));
    assert!(!is_near(""));
}
