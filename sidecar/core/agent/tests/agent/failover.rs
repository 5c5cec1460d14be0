//! Two control planes, of which one leaves or breaks.

use std::time::Duration;

use crate::support::{ControlPlane, Directory, Sidecar, eventually, inbound};
use agent::mesh::{KeepAliveResponse, ReportResponse};
use tonic::Status;

/// Two control planes, the one first that the sidecar has chosen.
async fn pair(directory: &Directory) -> (ControlPlane, ControlPlane, Sidecar) {
    let mut one = ControlPlane::granting(7, "127.0.0.1:0").await;
    let mut other = ControlPlane::granting(8, "127.0.0.1:0").await;
    let sidecar = Sidecar::start(directory, &[one.address, other.address]);
    let is_one = tokio::select! {
        entry = one.registered() => entry.endpoint.is_some(),
        entry = other.registered() => entry.endpoint.is_none(),
    };
    if is_one {
        (one, other, sidecar)
    } else {
        (other, one, sidecar)
    }
}

#[tokio::test]
async fn a_goaway_moves_every_stream_to_the_other() {
    let directory = Directory::new("goaway");
    let (mut leaving, mut staying, sidecar) = pair(&directory).await;
    let mut discovery = leaving.discovery().await;
    discovery.hello().await;
    discovery.subscription().await;
    discovery.push(1, vec![inbound("storefront")]).await;
    let mut reports = leaving.telemetry().await;
    reports.next().await;
    reports.send(ReportResponse::default()).await;
    leaving.retire();
    let mut next = staying.discovery().await;
    assert_eq!(next.hello().await.held.len(), 1);
    staying.telemetry().await;
    staying.command().await;
    staying.renewals().await;
    assert!(sidecar.summary().is_ready);
}

#[tokio::test]
async fn a_lease_goes_on_at_the_other_without_another_registration() {
    let directory = Directory::new("lease");
    let (mut leaving, mut staying, sidecar) = pair(&directory).await;
    let mut renewals = leaving.renewals().await;
    let lease_id = renewals.next().await.lease_id;
    leaving.retire();
    let mut renewals = staying.renewals().await;
    assert_eq!(renewals.next().await.lease_id, lease_id);
    let ttl = Some(prost_types::Duration::default());
    renewals.send(KeepAliveResponse { lease_id, ttl }).await; // unknown here
    staying.registered().await; // the first: there was none before
    sidecar.remote.drain(Duration::from_secs(5));
    assert_ne!(staying.deregistered().await, lease_id);
}

#[tokio::test]
async fn a_lease_ends_at_the_other_when_the_sidecar_drains() {
    let directory = Directory::new("lease-ends");
    let (mut leaving, mut staying, sidecar) = pair(&directory).await;
    let lease_id = leaving.renewals().await.next().await.lease_id;
    leaving.retire();
    staying.renewals().await.next().await;
    sidecar.remote.drain(Duration::from_secs(5));
    assert_eq!(staying.deregistered().await, lease_id);
    sidecar.gone().await;
}

#[tokio::test]
async fn what_one_has_counted_is_the_baseline_at_the_other() {
    let directory = Directory::new("baseline");
    let (mut leaving, mut staying, _sidecar) = pair(&directory).await;
    let mut reports = leaving.telemetry().await;
    let counted = reports.next().await;
    assert_eq!(counted.baseline, None);
    let answer = ReportResponse {
        interval: Some(prost_types::Duration {
            seconds: 0,
            nanos: 100_000_000,
        }),
        ..Default::default()
    };
    reports.send(answer).await;
    let unanswered = reports.next().await;
    assert_ne!(counted.at, unanswered.at);
    reports.fail(Status::unavailable("gone")).await;
    leaving.retire();
    let first = staying.telemetry().await.next().await;
    assert_eq!(first.baseline.unwrap().at, counted.at);
    assert_eq!(first.epoch, counted.epoch);
}

#[tokio::test]
async fn a_report_on_its_way_is_waited_for_when_a_control_plane_leaves() {
    let directory = Directory::new("settles");
    let (mut leaving, mut staying, _sidecar) = pair(&directory).await;
    let mut reports = leaving.telemetry().await;
    let sent = reports.next().await;
    leaving.discovery().await.hello().await;
    leaving.retire();
    reports.send(ReportResponse::default()).await;
    let first = staying.telemetry().await.next().await;
    assert_eq!(first.baseline.unwrap().at, sent.at);
}

#[tokio::test]
async fn a_stream_that_breaks_is_opened_at_the_other_after_a_short_session_too() {
    let directory = Directory::new("breaks");
    let (mut one, mut other, sidecar) = pair(&directory).await;
    let mut stream = one.discovery().await;
    stream.hello().await;
    eventually(|| sidecar.summary().is_connected).await;
    let reports = one.telemetry().await;
    reports.fail(Status::unavailable("restarting")).await;
    stream.fail(Status::unavailable("restarting")).await;
    other.discovery().await.hello().await;
}
