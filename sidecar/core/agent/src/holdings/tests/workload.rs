//! Workloads of which the control plane knows the services.

use super::*;

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
