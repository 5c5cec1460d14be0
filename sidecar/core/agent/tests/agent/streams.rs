//! Reports, commands and registration as a control plane sees them.

use std::time::Duration;

use crate::support::{ControlPlane, Directory, Sidecar, eventually, free_address, unreadable};
use agent::mesh::command::Command as Order;
use agent::mesh::command_result::Result as Answer;
use agent::mesh::{
    CallerCount, Command, GetConfigurationRequest, Health, KeepAliveResponse, ReportResponse,
    ServiceName,
};
use agent::mesh::{ForceBreakerRequest, SetLogLevelRequest};

fn soon() -> Option<prost_types::Duration> {
    Some(prost_types::Duration {
        seconds: 0,
        nanos: 1_000_000,
    })
}

#[tokio::test]
async fn each_response_paces_the_next_report() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("telemetry");
    let _sidecar = Sidecar::start(&directory, &[plane.address]);
    let mut stream = plane.telemetry().await;
    let first = stream.next().await;
    assert_eq!(first.instance, "storefront-0");
    assert!(first.resident_bytes > 0);
    assert!(
        first
            .families
            .iter()
            .any(|family| family.name == "breakwater_config_stale")
    );
    stream
        .send(ReportResponse {
            interval: soon(),
            ..Default::default()
        })
        .await;
    assert_eq!(stream.next().await.epoch, first.epoch);
}

#[tokio::test]
async fn a_refusal_is_an_event_in_the_next_report() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("event");
    let _sidecar = Sidecar::start(&directory, &[plane.address]);
    let mut discovery = plane.discovery().await;
    discovery.hello().await;
    discovery.subscription().await;
    let mut reports = plane.telemetry().await;
    reports.next().await;
    discovery.push(1, vec![unreadable()]).await;
    reports
        .send(ReportResponse {
            interval: soon(),
            ..Default::default()
        })
        .await;
    let events = reports.next().await.events;
    assert_eq!(
        events
            .iter()
            .map(|event| event.kind.as_str())
            .collect::<Vec<_>>(),
        ["configuration"]
    );
}

#[tokio::test]
async fn shares_are_kept_for_the_next_start() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("shares");
    let sidecar = Sidecar::start(&directory, &[plane.address]);
    let mut discovery = plane.discovery().await;
    discovery.hello().await;
    discovery.subscription().await;
    let mut stream = plane.telemetry().await;
    stream.next().await;
    let service = Some(ServiceName {
        namespace: "shop".to_owned(),
        name: "cart".to_owned(),
    });
    let callers = vec![CallerCount {
        service,
        live_callers: 4,
    }];
    stream
        .send(ReportResponse {
            interval: soon(),
            callers,
            health: Vec::new(),
        })
        .await;
    stream.next().await;
    discovery.push(1, Vec::new()).await;
    let saved = directory.path().join("configuration");
    let has_shares =
        || std::fs::read(&saved).is_ok_and(|bytes| bytes.windows(4).any(|part| part == b"cart"));
    eventually(has_shares).await;
    drop(sidecar);
}

#[tokio::test]
async fn commands_are_answered_by_number() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("command");
    let _sidecar = Sidecar::start(&directory, &[plane.address]);
    let mut stream = plane.command().await;
    assert_eq!(stream.next().await.instance, "storefront-0");
    let order = |id, order| Command {
        id,
        command: Some(order),
    };
    stream
        .send(order(
            1,
            Order::GetConfiguration(GetConfigurationRequest {}),
        ))
        .await;
    stream
        .send(order(
            2,
            Order::SetLogLevel(SetLogLevelRequest {
                level: "loud".to_owned(),
            }),
        ))
        .await;
    stream
        .send(order(
            3,
            Order::ForceBreaker(ForceBreakerRequest::default()),
        ))
        .await;
    let configuration = stream.next().await;
    assert_eq!(configuration.id, 1);
    assert!(matches!(
        configuration.result,
        Some(Answer::GetConfiguration(_))
    ));
    let level = stream.next().await;
    assert_eq!((level.id, level.error.contains("loud")), (2, true));
    assert_eq!(stream.next().await.result, None);
}

#[tokio::test]
async fn the_workload_is_registered_where_it_is_reached() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("registered");
    let _sidecar = Sidecar::start(&directory, &[plane.address]);
    let entry = plane.registered().await;
    let endpoint = entry.endpoint.unwrap();
    assert_eq!(
        (endpoint.instance.as_str(), endpoint.address.as_str()),
        ("storefront-0", "127.0.0.1")
    );
    assert!(endpoint.has_sidecar);
    assert_eq!(entry.ports.len(), 1);
    assert!(endpoint.ports.contains_key(&entry.ports[0].name));
    assert_eq!(plane.renewals().await.next().await.lease_id, 7);
}

#[tokio::test]
async fn an_unknown_lease_is_registered_anew() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("unknown");
    let _sidecar = Sidecar::start(&directory, &[plane.address]);
    let first = plane.registered().await;
    let mut renewals = plane.renewals().await;
    renewals.next().await;
    renewals
        .send(KeepAliveResponse {
            lease_id: 7,
            ttl: Some(prost_types::Duration::default()),
        })
        .await;
    assert_eq!(plane.registered().await, first);
}

#[tokio::test]
async fn the_verdict_on_the_application_is_registered_and_reported_when_it_changes() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("verdict");
    let app = free_address();
    let _sidecar = Sidecar::beside(app, &directory, &[plane.address]);
    let entry = plane.registered().await;
    assert_eq!(entry.endpoint.unwrap().health(), Health::Unhealthy);
    let _application = std::net::TcpListener::bind(app).unwrap();
    let verdict = plane.verdict().await;
    assert_eq!(verdict.health(), Health::Healthy);
    assert_eq!(
        (verdict.lease_id, verdict.instance.as_str()),
        (7, "storefront-0")
    );
    assert_eq!(verdict.service, entry.service);
}

#[tokio::test]
async fn a_known_lease_is_kept() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("known");
    let sidecar = Sidecar::start(&directory, &[plane.address]);
    plane.registered().await;
    let mut renewals = plane.renewals().await;
    for _ in 0..4 {
        let lease_id = renewals.next().await.lease_id;
        let ttl = Some(prost_types::Duration {
            seconds: 15,
            nanos: 0,
        });
        renewals.send(KeepAliveResponse { lease_id, ttl }).await;
    }
    drop(sidecar);
}

#[tokio::test]
async fn a_drain_takes_the_workload_out_first() {
    let mut plane = ControlPlane::start().await;
    let directory = Directory::new("drain");
    let sidecar = Sidecar::start(&directory, &[plane.address]);
    plane.registered().await;
    let mut renewals = plane.renewals().await;
    renewals.next().await;
    sidecar.remote.drain(Duration::from_secs(5));
    assert_eq!(plane.deregistered().await, 7);
    sidecar.gone().await;
}
