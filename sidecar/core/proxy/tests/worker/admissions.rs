//! Calls that the caller keeps to itself: while many fail, and as its peers ask.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use policy::Percent;
use policy::admission::Params;
use policy::breaker::State;
use proxy::config::Cluster;

use crate::support::build::{block, breaker, cluster, config};
use crate::support::upstream::response;
use crate::support::{Running, Upstream};

/// `shop/cart` behind sidecars at these addresses.
fn behind_sidecars(addresses: &[SocketAddr]) -> Cluster {
    let mut cluster = cluster(addresses);
    let endpoints = cluster.endpoints.iter_mut();
    endpoints.for_each(|endpoint| endpoint.has_sidecar = true);
    cluster
}

fn control(max_reject: u32) -> Params {
    Params {
        success_rate: Percent::new(95),
        window_ns: 3_600_000_000_000,
        max_reject: Percent::new(max_reject),
    }
}

/// A peer that refuses for this reason.
async fn refusing(reason: &'static str) -> Upstream {
    Upstream::answering(move |_| {
        format!(
            "HTTP/1.1 503 No\r\nProxy-Status: breakwater; error=x; details=\"{reason}\"\r\n\
             Content-Length: 0\r\n\r\n"
        )
    })
    .await
}

/// How many of so many calls were refused here, and how many were made.
async fn refused_of(running: &Running, calls: usize) -> (usize, usize) {
    let mut client = running.client().await;
    let (mut refused, mut made) = (0, 0);
    for _ in 0..calls {
        let answer = client.get("/").await;
        let status = answer.field("proxy-status").unwrap_or_default();
        let is_ours = status.contains("admission.rate");
        assert!(!is_ours || answer.status == 503);
        *(if is_ours { &mut refused } else { &mut made }) += 1;
    }
    (refused, made)
}

#[tokio::test]
async fn calls_are_kept_back_while_many_fail_and_never_all() {
    let upstream = Upstream::answering(|_| response(500, "broken")).await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.admission = block(control(90));
    let running = Running::with(config(cluster)).await;
    let (refused, made) = refused_of(&running, 300).await;
    assert_eq!(upstream.calls(), made);
    assert!(refused > 100 && made > 10, "{refused} refused, {made} made");
    let answer = loop {
        let answer = running.client().await.get("/").await;
        if answer.status == 503 {
            break answer;
        }
    };
    assert_eq!(
        answer.field("proxy-status"),
        Some("breakwater; error=http_request_denied; details=\"admission.rate policy=shop/cart\"")
    );
}

#[tokio::test]
async fn nothing_is_kept_back_while_calls_succeed_or_where_no_policy_says_so() {
    let good = Upstream::with_status(200).await;
    let mut wanted = cluster(&[good.address]);
    wanted.admission = block(control(100));
    let running = Running::with(config(wanted)).await;
    assert_eq!(refused_of(&running, 100).await, (0, 100));
    let bad = Upstream::with_status(500).await;
    let running = Running::with(config(cluster(&[bad.address]))).await;
    assert_eq!(refused_of(&running, 100).await, (0, 100));
}

#[tokio::test]
async fn a_peers_refusal_for_load_counts_and_its_rate_limit_does_not() {
    for (reason, is_kept_back) in [("queue.full", true), ("ratelimit.token", false)] {
        let peer = refusing(reason).await;
        let mut cluster = behind_sidecars(&[peer.address]);
        cluster.admission = block(control(90));
        let running = Running::with(config(cluster)).await;
        let (refused, _) = refused_of(&running, 100).await;
        assert_eq!(refused > 0, is_kept_back, "{reason}: {refused}");
    }
}

/// A peer that answers well, and says what share it admits.
async fn admitting(share: &'static str) -> Upstream {
    Upstream::answering(move |_| {
        format!("HTTP/1.1 200 OK\r\nbreakwater-admit-rate: {share}\r\nContent-Length: 0\r\n\r\n")
    })
    .await
}

#[tokio::test]
async fn a_share_of_nothing_keeps_calls_back_for_a_second_and_no_longer() {
    let peer = admitting("0").await;
    let running = Running::with(config(behind_sidecars(&[peer.address]))).await;
    let began = Instant::now();
    let answer = running.client().await.get("/").await;
    assert_eq!(
        (answer.status, answer.field("breakwater-admit-rate")),
        (200, None)
    );
    while running.client().await.get("/").await.status == 503 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(peer.calls(), 2);
}

#[tokio::test]
async fn an_application_says_no_share_and_nonsense_is_none() {
    let app = admitting("0").await;
    let running = Running::with(config(cluster(&[app.address]))).await;
    assert_eq!(refused_of(&running, 20).await, (0, 20));
    for share in ["-1", "2", "half", "NaN"] {
        let peer = admitting(share).await;
        let running = Running::with(config(behind_sidecars(&[peer.address]))).await;
        assert_eq!(refused_of(&running, 20).await, (0, 20), "{share}");
    }
}

#[tokio::test]
async fn refusals_for_load_open_the_breaker_where_they_count() {
    for (reason, open_ns, state) in [
        ("queue.full", Some(60_000_000_000), State::Open),
        ("shed.class", Some(60_000_000_000), State::Open),
        ("queue.full", None, State::Closed),
        ("queue.blocked", Some(60_000_000_000), State::Closed),
        ("draining", Some(60_000_000_000), State::Closed),
    ] {
        let peer = refusing(reason).await;
        let mut cluster = behind_sidecars(&[peer.address]);
        let mut rules = breaker(1, Duration::from_secs(60));
        rules.params.overload_open_ns = open_ns;
        cluster.service_breaker = block(rules);
        let running = Running::with(config(cluster)).await;
        running.client().await.get("/").await;
        let breakers = running.handle.breakers().await.unwrap();
        assert_eq!(breakers[0].state, state, "{reason}");
    }
}

#[tokio::test]
async fn at_most_one_refusal_for_load_counts_in_a_tenth_of_a_second() {
    let peer = refusing("queue.evicted").await;
    let mut cluster = behind_sidecars(&[peer.address]);
    let mut rules = breaker(2, Duration::from_secs(60));
    rules.params.overload_open_ns = Some(60_000_000_000);
    cluster.service_breaker = block(rules);
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    let began = Instant::now();
    while running.handle.breakers().await.unwrap()[0].state == State::Closed {
        client.get("/").await;
    }
    assert!(began.elapsed() >= Duration::from_millis(100));
}
