//! Health checks that sidecars share: who probes, and who is believed.

use std::time::Duration;

use policy::health_check::{Params, Votes, checker};
use proxy::config::{Cluster, HealthCheck, Probe};
use proxy::report::{EndpointVotes, OthersHealth};

use crate::support::build::{block, cart, cluster, config};
use crate::support::{Running, Upstream, until};

/// Told for the whole of a test, and for a moment.
const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(1);

fn checked(upstreams: &[&Upstream]) -> Cluster {
    let addresses: Vec<_> = upstreams.iter().map(|upstream| upstream.address).collect();
    let mut cluster = cluster(&addresses);
    cluster.health_check = block(HealthCheck {
        params: Params {
            interval_ns: 50_000_000,
            unhealthy_after: 1,
            healthy_after: 1,
        },
        timeout: Duration::from_secs(1),
        probers: 1,
        probe: Probe::Tcp,
    });
    cluster
}

/// A set of checkers without our own, or with it.
fn told(version: u64, checkers: Vec<u64>, votes: Vec<EndpointVotes>) -> Vec<OthersHealth> {
    vec![OthersHealth {
        service: cart(),
        version,
        checkers,
        votes,
    }]
}

fn votes(place: usize, healthy: u32, unhealthy: u32) -> EndpointVotes {
    EndpointVotes {
        instance: format!("cart-{place}").into(),
        port: 80,
        votes: Votes { healthy, unhealthy },
    }
}

async fn probes(running: &Running) -> f64 {
    running
        .metric("breakwater_health_probes_total", &["shop/cart"])
        .await
}

async fn unhealthy(running: &Running) -> f64 {
    running.metric("breakwater_endpoints", &["unhealthy"]).await
}

/// A set of checkers among whom ours is not the one that probes this endpoint.
fn others(place: usize) -> Vec<u64> {
    let endpoint = format!("cart-{place}");
    let own = checker("web-1");
    let outranks =
        |other: &u64| !policy::health_check::is_prober(own, &[own, *other], &endpoint, 1);
    let other = (2..).map(|at| checker(&format!("web-{at}"))).find(outranks);
    vec![own, other.unwrap()]
}

#[tokio::test]
async fn whoever_is_told_nothing_probes_everything() {
    let (one, other) = (
        Upstream::with_status(200).await,
        Upstream::with_status(200).await,
    );
    let running = Running::with(config(checked(&[&one, &other]))).await;
    until(|| async { one.connections() > 1 && other.connections() > 1 }).await;
    let health = running.handle.health().await.unwrap();
    assert_eq!((health[0].service.clone(), health[0].version), (cart(), 0));
    assert_eq!(health[0].verdicts.len(), 2);
    assert!(health[0].verdicts.iter().all(|verdict| verdict.is_healthy));
}

#[tokio::test]
async fn an_endpoint_that_others_probe_is_left_to_them() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(checked(&[&upstream]))).await;
    until(|| async { probes(&running).await > 0.0 }).await;
    let health = told(7, others(0), Vec::new());
    running.handle.share_health(health, LONG).await.unwrap();
    until(|| async {
        let health = running.handle.health().await.unwrap();
        health[0].version == 7 && health[0].verdicts.is_empty()
    })
    .await;
    let before = upstream.connections();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(upstream.connections(), before);
}

#[tokio::test]
async fn most_of_the_probers_decide_and_a_lone_one_at_once() {
    let (one, other) = (
        Upstream::with_status(200).await,
        Upstream::with_status(200).await,
    );
    let running = Running::with(config(checked(&[&one, &other]))).await;
    until(|| async { running.handle.health().await.unwrap()[0].verdicts.len() == 2 }).await;
    for (found, expected) in [
        (votes(1, 0, 1), 0.0),
        (votes(1, 0, 2), 1.0),
        (votes(1, 1, 2), 0.0),
        (votes(1, 0, 3), 1.0),
    ] {
        let health = told(0, Vec::new(), vec![found]);
        running.handle.share_health(health, LONG).await.unwrap();
        assert_eq!(unhealthy(&running).await, expected);
    }
    let (calls, mut client) = (other.calls(), running.client().await);
    for _ in 0..20 {
        assert_eq!(client.get("/").await.status, 200);
    }
    assert_eq!(other.calls(), calls);
    // Who is not named any more, nobody found unhealthy.
    let health = told(0, Vec::new(), Vec::new());
    running.handle.share_health(health, LONG).await.unwrap();
    assert_eq!(unhealthy(&running).await, 0.0);
}

#[tokio::test]
async fn an_endpoint_that_was_unhealthy_is_held_so_until_somebody_finds_it_healthy() {
    let (one, other) = (
        Upstream::with_status(200).await,
        Upstream::with_status(200).await,
    );
    let mut cluster = checked(&[&one, &other]);
    if let Some(block) = &mut cluster.health_check {
        block.params.params.interval_ns = 1 << 60; // never probed here
    }
    let running = Running::with(config(cluster)).await;
    // Whoever found it so leaves, or leaves it to one that has not asked yet, and comes back; then somebody asked.
    for (found, is_held) in [
        (votes(1, 0, 0), false),
        (votes(1, 0, 1), true),
        (votes(1, 0, 0), true),
        (votes(1, 0, 1), true),
        (votes(1, 0, 0), true),
        (votes(1, 1, 0), false),
        (votes(1, 0, 0), false),
    ] {
        let health = told(0, Vec::new(), vec![found]);
        running.handle.share_health(health, LONG).await.unwrap();
        assert_eq!(unhealthy(&running).await > 0.0, is_held);
        let own = running.handle.health().await.unwrap();
        assert_eq!(!own[0].doubted.is_empty(), is_held);
    }
}

#[tokio::test]
async fn an_endpoint_that_nobody_names_any_more_is_well() {
    let (one, other) = (
        Upstream::with_status(200).await,
        Upstream::with_status(200).await,
    );
    let mut cluster = checked(&[&one, &other]);
    if let Some(block) = &mut cluster.health_check {
        block.params.params.interval_ns = 1 << 60; // never probed here
    }
    let running = Running::with(config(cluster)).await;
    for (found, expected) in [(vec![votes(0, 0, 1)], 1.0), (vec![], 0.0)] {
        let health = told(0, Vec::new(), found);
        running.handle.share_health(health, LONG).await.unwrap();
        assert_eq!(unhealthy(&running).await, expected);
    }
}

#[tokio::test]
async fn what_others_said_lapses_and_everything_is_probed_again() {
    let (one, other) = (
        Upstream::with_status(200).await,
        Upstream::with_status(200).await,
    );
    let mut cluster = checked(&[&one, &other]);
    if let Some(block) = &mut cluster.health_check {
        block.params.params.interval_ns = 500_000_000;
    }
    let running = Running::with(config(cluster)).await;
    let health = told(7, others(0), vec![votes(0, 0, 1)]);
    running
        .handle
        .share_health(health.clone(), LONG)
        .await
        .unwrap();
    assert_eq!(unhealthy(&running).await, 1.0);
    running.handle.share_health(health, SHORT).await.unwrap();
    until(|| async { unhealthy(&running).await == 0.0 }).await;
    until(|| async {
        let health = running.handle.health().await.unwrap();
        health[0].version == 0 && health[0].verdicts.len() == 2
    })
    .await;
}

#[tokio::test]
async fn a_version_that_is_known_needs_no_checkers() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(checked(&[&upstream]))).await;
    for (version, checkers, expected) in [(7, others(0), 7), (7, vec![], 7), (8, vec![], 7)] {
        let health = told(version, checkers, Vec::new());
        running.handle.share_health(health, LONG).await.unwrap();
        assert_eq!(running.handle.health().await.unwrap()[0].version, expected);
    }
}
