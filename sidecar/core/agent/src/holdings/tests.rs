//! What responses, demands and time do to what is held.

mod names;
mod workload;

use std::time::Duration;

use proxy::{Supply, Wanted};

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
