//! What becomes of a sidecar that never had a configuration.

use crate::support::{ControlPlane, Directory, Sidecar, eventually, inbound};

#[tokio::test]
async fn without_a_configuration_everything_passes_in_time_and_is_enforced_once_there_is_one() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("bootstrap");
    let sidecar = Sidecar::passing_after("0.05", &directory, &[plane.address]);
    let mut stream = plane.discovery().await;
    stream.hello().await;
    stream.subscription().await;
    eventually(|| sidecar.summary().is_unenforced).await;
    assert!(sidecar.summary().is_ready);
    assert!(sidecar.page("/ready").await.contains("nothing is enforced"));
    let metrics = sidecar.page("/metrics").await;
    assert!(
        metrics.contains("breakwater_config_unenforced 1"),
        "{metrics}"
    );
    stream.push(1, vec![inbound("storefront")]).await;
    eventually(|| !sidecar.summary().is_unenforced).await;
    assert!(sidecar.page("/ready").await.ends_with("\r\n\r\nready\n"));
}

#[tokio::test]
async fn a_configuration_on_disk_is_enforced_whatever_is_to_pass() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("bootstrap-disk");
    let sidecar = Sidecar::start(&directory, &[plane.address]);
    let mut stream = plane.discovery().await;
    stream.hello().await;
    stream.subscription().await;
    stream.push(1, vec![inbound("storefront")]).await;
    eventually(|| directory.path().join("configuration").exists()).await;
    sidecar.stop().await;
    let sidecar = Sidecar::passing_after("0", &directory, &[]);
    assert!(sidecar.page("/ready").await.ends_with("\r\n\r\nready\n"));
    assert!(!sidecar.summary().is_unenforced);
}

#[tokio::test]
async fn who_is_to_wait_is_not_ready_without_a_configuration() {
    let directory = Directory::new("bootstrap-waits");
    let sidecar = Sidecar::start(&directory, &[]);
    assert!(sidecar.page("/ready").await.contains("503"));
    assert!(!sidecar.summary().is_unenforced);
}
