//! Calls to names that are not known yet.

use std::time::Duration;

use agent::mesh::DiscoveryResponse;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::support::{ControlPlane, Directory, Sidecar, host, inbound, missing, soon};

#[tokio::test]
async fn a_call_waits_for_its_service_and_is_then_served() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("waits");
    let sidecar = Sidecar::start(&directory, &[plane.address]);
    let mut stream = plane.discovery().await;
    stream.hello().await;
    stream.subscription().await;
    stream.push(1, vec![inbound("storefront")]).await;
    let played = async {
        assert_eq!(stream.subscription().await.subscribe[0].name, "cart.shop");
        stream.push(2, host("cart")).await;
    };
    let (answer, ()) = tokio::join!(sidecar.call("cart.shop"), played);
    assert!(answer.contains("upstream.no_endpoints"), "{answer}");
}

#[tokio::test]
async fn a_call_to_a_name_that_does_not_exist_is_refused_and_remembered() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("missing");
    let sidecar = Sidecar::start(&directory, &[plane.address]);
    let mut stream = plane.discovery().await;
    stream.hello().await;
    stream.subscription().await;
    let played = async {
        stream.subscription().await;
        let response: DiscoveryResponse = missing("nobody.shop");
        stream.send(response).await;
        stream.applied().await;
    };
    let (answer, ()) = tokio::join!(sidecar.call("nobody.shop"), played);
    assert!(answer.contains("route.none"), "{answer}");
    assert!(sidecar.call("nobody.shop").await.contains("route.none"));
}

#[tokio::test]
async fn without_a_control_plane_an_unknown_name_is_refused_at_once() {
    let directory = Directory::new("alone");
    let sidecar = Sidecar::start(&directory, &[]);
    let answer = sidecar.call("cart.shop").await;
    assert!(answer.contains("config.missing"), "{answer}");
}

#[tokio::test]
async fn a_control_plane_that_hangs_holds_no_call_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let directory = Directory::new("hangs");
    let sidecar = Sidecar::start(&directory, &[listener.local_addr().unwrap()]);
    let _connection = listener.accept().await.unwrap();
    sleep(Duration::from_millis(1_100)).await;
    // It would take minutes if each waited.
    let calls = async {
        for _ in 0..100 {
            let answer = sidecar.call("cart.shop").await;
            assert!(answer.contains("config.missing"), "{answer}");
        }
    };
    soon(calls).await;
}
