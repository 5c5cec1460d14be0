//! The life of a name, and its bounds.

use super::*;

fn subscription() -> (Subscription, Instant) {
    (
        Subscription::new([Id::new(Kind::Mesh, "default")]),
        Instant::now(),
    )
}

fn host(name: &str) -> Id {
    Id::new(Kind::Host, name)
}

fn bound(name: &str) -> (Subscription, Instant) {
    let (mut subscription, now) = subscription();
    subscription.demand(&host(name), now);
    subscription.bind(&host(name), now);
    subscription.take_changes();
    (subscription, now)
}

#[test]
fn an_unknown_host_is_asked_for_once() {
    let (mut subscription, now) = subscription();
    assert_eq!(subscription.demand(&host("cart.shop"), now), Demand::Asked);
    assert_eq!(subscription.demand(&host("cart.shop"), now), Demand::Asked);
    assert_eq!(subscription.take_changes().subscribe, [host("cart.shop")]);
}

#[test]
fn at_most_64_unknown_hosts_are_asked_for_at_once() {
    let (mut subscription, now) = subscription();
    for number in 0..100 {
        subscription.demand(&host(&format!("h{number}.shop")), now);
    }
    assert_eq!(subscription.take_changes().subscribe.len(), ASKED_AT_ONCE);
    subscription.miss(&host("h0.shop"), now);
    subscription.bind(&host("h1.shop"), now);
    assert_eq!(
        subscription.take_changes().subscribe,
        [host("h64.shop"), host("h65.shop")]
    );
}

#[test]
fn names_beyond_the_queue_are_refused() {
    let (mut subscription, now) = subscription();
    for number in 0..ASKED_AT_ONCE + REMEMBERED {
        assert_eq!(
            subscription.demand(&host(&format!("h{number}.shop")), now),
            Demand::Asked
        );
    }
    assert_eq!(
        subscription.demand(&host("one-more.shop"), now),
        Demand::Refused
    );
}

#[test]
fn a_missing_host_is_remembered_for_10_s_and_then_given_up() {
    let (mut subscription, now) = subscription();
    subscription.demand(&host("cart.shop"), now);
    subscription.miss(&host("cart.shop"), now);
    subscription.expire(now + MISSING - Duration::from_millis(1));
    assert_eq!(
        subscription.demand(&host("cart.shop"), now),
        Demand::Missing
    );
    subscription.take_changes();
    subscription.expire(now + MISSING);
    assert_eq!(subscription.take_changes().unsubscribe, [host("cart.shop")]);
    assert_eq!(subscription.demand(&host("cart.shop"), now), Demand::Asked);
}

#[test]
fn only_so_many_missing_hosts_are_remembered() {
    let (mut subscription, now) = subscription();
    for number in 0..=REMEMBERED {
        let name = format!("h{number}.shop");
        subscription.demand(&host(&name), now);
        subscription.miss(&host(&name), now + Duration::from_nanos(number as u64));
    }
    assert_eq!(subscription.take_changes().unsubscribe, [host("h0.shop")]);
}

#[test]
fn a_missing_host_that_comes_to_exist_is_bound() {
    let (mut subscription, now) = subscription();
    subscription.demand(&host("cart.shop"), now);
    subscription.miss(&host("cart.shop"), now);
    subscription.bind(&host("cart.shop"), now);
    assert_eq!(subscription.demand(&host("cart.shop"), now), Demand::Bound);
}

#[test]
fn a_bound_host_lapses_after_an_hour_without_a_call() {
    let (mut subscription, now) = bound("cart.shop");
    subscription.called(&host("cart.shop"), now + Duration::from_secs(60));
    assert!(subscription.expire(now + IDLE).is_empty());
    assert_eq!(
        subscription.expire(now + IDLE + Duration::from_secs(60)),
        [host("cart.shop")]
    );
    assert_eq!(subscription.take_changes().unsubscribe, [host("cart.shop")]);
}

#[test]
fn own_hosts_never_lapse() {
    let now = Instant::now();
    let mut subscription = Subscription::new([host("cart.shop")]);
    subscription.bind(&host("cart.shop"), now);
    assert!(subscription.expire(now + 2 * IDLE).is_empty());
    assert!(subscription.take_changes().is_empty());
}

#[test]
fn a_new_stream_subscribes_to_everything_again() {
    let (mut subscription, now) = bound("cart.shop");
    subscription.demand(&host("payments.shop"), now);
    let all = [
        Id::new(Kind::Mesh, "default"),
        host("cart.shop"),
        host("payments.shop"),
    ];
    assert_eq!(subscription.begin(), all);
    assert!(subscription.take_changes().is_empty());
}

#[test]
fn giving_up_keeps_only_what_is_bound() {
    let (mut subscription, now) = bound("cart.shop");
    subscription.demand(&host("payments.shop"), now);
    subscription.give_up();
    assert_eq!(
        subscription.begin(),
        [Id::new(Kind::Mesh, "default"), host("cart.shop")]
    );
}

#[test]
fn an_answer_that_nobody_asked_for_binds_nothing() {
    let (mut subscription, now) = subscription();
    subscription.bind(&host("cart.shop"), now);
    assert!(!subscription.wants(&host("cart.shop")));
}

#[test]
fn an_unanswered_host_frees_its_place_after_a_while() {
    let (mut subscription, now) = subscription();
    subscription.demand(&host("cart.shop"), now);
    subscription.expire(now + MISSING);
    assert!(!subscription.wants(&host("cart.shop")));
}

#[test]
fn a_service_is_asked_for_together_with_its_endpoints() {
    let (mut subscription, now) = subscription();
    subscription.demand(&Id::new(Kind::Outbound, "shop/cart"), now);
    let both = [
        Id::new(Kind::Outbound, "shop/cart"),
        Id::new(Kind::Endpoints, "shop/cart"),
    ];
    assert_eq!(subscription.take_changes().subscribe, both);
}

#[test]
fn what_is_followed_never_lapses() {
    let followed = Id::new(Kind::Endpoints, "shop/cart");
    let (mut subscription, now) = subscription();
    subscription.follow([followed.clone()].into());
    subscription.bind(&followed, now);
    assert_eq!(subscription.expire(now + 2 * IDLE), []);
    subscription.follow([].into());
    assert_eq!(subscription.expire(now + 2 * IDLE), [followed]);
}

#[test]
fn members_of_our_own_services_are_followed_once_and_with_every_stream() {
    let members = [Id::new(Kind::Endpoints, "shop/cart")];
    let mut subscription = Subscription::new([]);
    subscription.follow(members.clone().into());
    subscription.follow(members.clone().into());
    assert_eq!(subscription.take_changes().subscribe, members);
    assert_eq!(subscription.begin(), members);
    assert!(subscription.wants(&members[0]));
    subscription.follow([].into());
    assert_eq!(subscription.begin(), []);
}
