//! Breakers: what opens them, what they refuse, and how they close.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use policy::breaker::{Forced, State};
use proxy::Force;
use proxy::report::EventKind;

use crate::support::build::{block, breaker, cart, cluster, config, question};
use crate::support::upstream::response;
use crate::support::{Running, Upstream, soon};

/// An upstream that fails while told to.
async fn switchable() -> (Upstream, Arc<AtomicBool>) {
    let failing = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&failing);
    let upstream = Upstream::answering(move |_| match switch.load(Ordering::SeqCst) {
        true => response(500, "broken"),
        false => response(200, "hello"),
    })
    .await;
    (upstream, failing)
}

async fn state(running: &Running) -> State {
    running.handle.breakers().await.unwrap()[0].state
}

#[tokio::test]
async fn the_service_breaker_opens_refuses_and_closes_after_a_probe() {
    let (upstream, failing) = switchable().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.service_breaker = block(breaker(3, Duration::from_millis(600)));
    let mut running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    for _ in 0..3 {
        assert_eq!(client.get("/").await.status, 500);
    }
    let answer = client.get("/").await;
    assert_eq!((answer.status, upstream.calls()), (503, 3));
    assert_eq!(
        answer.field("proxy-status"),
        Some(
            "breakwater; error=destination_unavailable; details=\"breaker.open policy=shop/cart\""
        )
    );
    assert_eq!(answer.field("retry-after"), Some("1"));
    assert_eq!(
        answer.field("content-type"),
        Some("application/problem+json")
    );
    assert!(answer.text().contains("\"reason\":\"breaker.open\""));
    let explained = running.handle.explain(question()).await.unwrap();
    assert_eq!(
        explained
            .refusal
            .map(|(reason, status)| (reason.as_str(), status)),
        Some(("breaker.open", 503))
    );
    failing.store(false, Ordering::SeqCst);
    while client.get("/").await.status == 503 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(state(&running).await, State::Closed);
    let mut moves = Vec::new();
    for _ in 0..3 {
        if let EventKind::Breaker {
            from, to, reason, ..
        } = soon(running.events.recv()).await.unwrap().kind
        {
            moves.push((from.as_str(), to.as_str(), reason));
        }
    }
    assert_eq!(
        moves,
        [
            ("closed", "open", "consecutive_failures"),
            ("open", "half_open", "open_time_over"),
            ("half_open", "closed", "probes_passed"),
        ]
    );
}

#[tokio::test]
async fn refusals_of_the_breaker_do_not_feed_it() {
    let (upstream, _) = switchable().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.service_breaker = block(breaker(2, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    for _ in 0..10 {
        client.get("/").await;
    }
    let status = &running.handle.breakers().await.unwrap()[0];
    assert_eq!((status.counts.calls, upstream.calls()), (2, 2));
    let refused = running
        .metric("breakwater_requests_total", &["breaker.open", "5xx"])
        .await;
    assert_eq!(refused, 8.0);
}

#[tokio::test]
async fn the_endpoint_breaker_takes_a_failing_endpoint_out() {
    let good = Upstream::with_status(200).await;
    let bad = Upstream::with_status(503).await;
    let mut cluster = cluster(&[good.address, bad.address]);
    cluster.endpoint_breaker = block(breaker(1, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    for _ in 0..50 {
        client.get("/").await;
    }
    assert_eq!((good.calls(), bad.calls()), (49, 1));
    let endpoints = running.handle.endpoints().await.unwrap();
    assert_eq!(
        endpoints.iter().map(|at| at.ready).collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(
        running.metric("breakwater_endpoints", &["ejected"]).await,
        1.0
    );
}

#[tokio::test]
async fn the_last_endpoint_is_never_taken_out() {
    let (upstream, failing) = switchable().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.endpoint_breaker = block(breaker(1, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    for _ in 0..3 {
        assert_eq!(client.get("/").await.status, 500);
    }
    failing.store(false, Ordering::SeqCst);
    assert_eq!((client.get("/").await.status, upstream.calls()), (200, 4));
}

#[tokio::test]
async fn an_operator_forces_a_breaker_open_and_gives_it_back() {
    let upstream = Upstream::with_status(200).await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.service_breaker = block(breaker(3, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    let order = Some((Forced::Open, Duration::from_secs(60)));
    let force = Force {
        service: cart(),
        endpoint: None,
        route: None,
        order,
    };
    let status = running.handle.force_breaker(force).await.unwrap();
    assert_eq!(status.state, State::ForcedOpen);
    let answer = client.get("/").await;
    assert_eq!(answer.reason(), "breaker.forced");
    let back = Force {
        service: cart(),
        endpoint: None,
        route: None,
        order: None,
    };
    assert_eq!(
        running.handle.force_breaker(back).await.unwrap().state,
        State::Closed
    );
    assert_eq!((client.get("/").await.status, upstream.calls()), (200, 1));
}

#[tokio::test]
async fn there_is_no_forcing_what_is_not_there() {
    let running = Running::with(config(cluster(&[]))).await;
    let force = Force {
        service: cart(),
        endpoint: None,
        route: None,
        order: None,
    };
    assert!(running.handle.force_breaker(force).await.is_err());
}
