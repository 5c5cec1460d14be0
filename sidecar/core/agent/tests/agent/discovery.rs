//! Discovery as a control plane sees it.

use std::time::Duration;

use crate::support::{ControlPlane, Directory, Sidecar, eventually, host, inbound, unreadable};
use agent::mesh::ResourceType;
use tokio::time::sleep;
use tonic::Status;

#[tokio::test]
async fn a_fresh_sidecar_holds_nothing_and_asks_for_its_own() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("fresh");
    let _sidecar = Sidecar::start(&directory, &[plane.address]);
    let mut stream = plane.discovery().await;
    let hello = stream.hello().await;
    assert_eq!(
        (hello.instance.as_str(), hello.held.len()),
        ("storefront-0", 0)
    );
    let wanted = stream.subscription().await.subscribe;
    let wanted: Vec<_> = wanted
        .iter()
        .map(|name| (name.r#type(), name.name.as_str()))
        .collect();
    assert_eq!(
        wanted,
        [
            (ResourceType::Mesh, "default"),
            (ResourceType::Inbound, "shop/storefront")
        ]
    );
}

#[tokio::test]
async fn a_response_is_applied_and_makes_it_ready() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("ready");
    let sidecar = Sidecar::start(&directory, &[plane.address]);
    assert!(!sidecar.summary().is_ready);
    let mut stream = plane.discovery().await;
    stream.hello().await;
    stream.subscription().await;
    assert!(
        stream
            .push(5, vec![inbound("storefront")])
            .await
            .rejections
            .is_empty()
    );
    let summary = sidecar.summary();
    assert!(summary.is_ready && summary.is_connected);
    assert_eq!(summary.revision, 5);
    assert!(sidecar.page("/ready").await.starts_with("HTTP/1.1 200"));
    assert!(
        sidecar
            .page("/metrics")
            .await
            .contains("\nbreakwater_config_stale 0\n")
    );
}

#[tokio::test]
async fn a_refused_resource_is_told_and_holds_up_no_other() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("refused");
    let sidecar = Sidecar::start(&directory, &[plane.address]);
    let mut stream = plane.discovery().await;
    stream.hello().await;
    stream.subscription().await;
    stream.push(1, vec![inbound("storefront")]).await;
    let mut resources = host("cart");
    resources.push(unreadable());
    let applied = stream.push(2, resources).await;
    let refused: Vec<_> = applied
        .rejections
        .iter()
        .map(|one| one.id.as_ref().unwrap().name.as_str())
        .collect();
    assert_eq!(refused, ["default"]);
    assert_eq!(sidecar.summary().revision, 1);
    let metrics = sidecar.page("/metrics").await;
    assert!(
        metrics.contains("\nbreakwater_config_resources{state=\"applied\"} 4\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("\nbreakwater_config_rejected_resources 1\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_reconnect_says_what_is_held() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("reconnect");
    let sidecar = Sidecar::start(&directory, &[plane.address]);
    let mut stream = plane.discovery().await;
    stream.hello().await;
    stream.subscription().await;
    let resource = inbound("storefront");
    stream.push(3, vec![resource.clone()]).await;
    stream.fail(Status::unavailable("restarting")).await;
    let hello = plane.discovery().await.hello().await;
    assert_eq!(hello.held.len(), 1);
    assert_eq!(hello.held[0].version, resource.version);
    assert!(sidecar.summary().is_ready);
}

#[tokio::test]
async fn a_restart_without_a_control_plane_serves_what_was_applied() {
    let directory = Directory::new("restart");
    let mut plane = ControlPlane::start().await;
    let first = Sidecar::start(&directory, &[plane.address]);
    let mut stream = plane.discovery().await;
    stream.hello().await;
    stream.subscription().await;
    stream.push(4, vec![inbound("storefront")]).await;
    eventually(|| directory.path().join("configuration").exists()).await;
    let address = plane.address;
    first.stop().await;
    drop((stream, plane));

    let second = Sidecar::start(&directory, &[address]);
    eventually(|| second.summary().is_ready).await;
    assert_eq!(second.summary().revision, 4);
    assert!(!second.summary().is_connected);
    assert!(
        second
            .page("/metrics")
            .await
            .contains("\nbreakwater_config_stale 1\n")
    );

    let mut plane = ControlPlane::start_at(&address.to_string()).await;
    assert_eq!(plane.discovery().await.hello().await.held.len(), 1);
}

#[tokio::test]
async fn the_next_control_plane_is_tried_when_one_is_gone() {
    let mut plane = ControlPlane::start().await;
    let gone = ControlPlane::start().await.address;
    let directory = Directory::new("next");
    let _sidecar = Sidecar::start(&directory, &[gone, plane.address]);
    plane.discovery().await.hello().await;
}

#[tokio::test]
async fn a_control_plane_that_never_answers_is_not_connected() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let directory = Directory::new("silent");
    let sidecar = Sidecar::start(&directory, &[listener.local_addr().unwrap()]);
    let _connection = listener.accept().await.unwrap();
    sleep(Duration::from_millis(200)).await;
    assert!(!sidecar.summary().is_connected);
    assert!(sidecar.page("/ready").await.starts_with("HTTP/1.1 503"));
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_written_keeps_nobody_from_serving() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::at("/sys/breakwater");
    let sidecar = Sidecar::start(&directory, &[plane.address]);
    let mut stream = plane.discovery().await;
    stream.hello().await;
    stream.subscription().await;
    stream.push(1, vec![inbound("storefront")]).await;
    assert!(sidecar.summary().is_ready);
}
