//! Whom measurements name: the service called, and the service that calls.

use proxy::report::Family;

use crate::support::build::{cluster, config};
use crate::support::worker::beside;
use crate::support::{Client, Running, Upstream};

/// What is told of each direction.
const FAMILIES: [&str; 3] = [
    "breakwater_inflight",
    "breakwater_request_duration_seconds",
    "breakwater_requests_total",
];

#[tokio::test]
async fn calls_name_the_workloads_own_service_as_peer() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    assert_eq!(running.client().await.get("/").await.status, 200);
    for name in FAMILIES.into_iter().chain(["breakwater_attempts_total"]) {
        assert_eq!(peers(&running, name).await, ["shop/web"], "{name}");
    }
}

#[tokio::test]
async fn who_calls_us_is_not_named_since_nobody_has_verified_it() {
    let app = Upstream::with_status(200).await;
    let running = Running::start(beside(app.address));
    let mut client = Client::connect(running.inbound()).await;
    assert_eq!(client.get("/").await.status, 200);
    for name in FAMILIES {
        assert_eq!(peers(&running, name).await, [""], "{name}");
    }
}

/// The peers that the family names beside `shop/cart`, each once.
async fn peers(running: &Running, name: &str) -> Vec<String> {
    let families = running.handle.stats().await.unwrap().families;
    let family: &Family = families.iter().find(|family| family.name == name).unwrap();
    let place = |label| family.labels.iter().position(|known| *known == label);
    let (service, peer) = (place("service").unwrap(), place("peer").unwrap());
    let of_cart = family
        .points
        .iter()
        .filter(|point| point.labels[service] == "shop/cart");
    let mut peers: Vec<String> = of_cart
        .map(|point| point.labels[peer].to_string())
        .collect();
    peers.dedup();
    peers
}
