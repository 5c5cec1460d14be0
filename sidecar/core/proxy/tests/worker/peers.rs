//! What sidecars tell each other: refusals that reached no application, marks that only sidecars make, and a chain of
//! calls in which only the hop nearest to the failure retries.

use std::net::SocketAddr;

use proxy::Settings;
use proxy::config::Cluster;

use crate::support::build::{block, breaker, cart, cluster, config, limit, retry, rules};
use crate::support::upstream::{Connection, response};
use crate::support::worker::{beside, settings};
use crate::support::{Client, Running, Upstream};

/// `shop/cart` behind sidecars at these addresses.
fn behind_sidecars(addresses: &[SocketAddr]) -> Cluster {
    let mut cluster = cluster(addresses);
    cluster
        .endpoints
        .iter_mut()
        .for_each(|endpoint| endpoint.has_sidecar = true);
    cluster
}

fn refusing(reason: &'static str) -> impl Fn(&crate::support::upstream::Request) -> String {
    move |_| {
        format!(
            "HTTP/1.1 503 No\r\nProxy-Status: breakwater; error=x; details=\"{reason}\"\r\n\
             Content-Length: 0\r\n\r\n"
        )
    }
}

#[tokio::test]
async fn a_peers_refusal_may_be_tried_elsewhere_whatever_the_method_and_feeds_no_breaker() {
    let draining = Upstream::answering(refusing("draining")).await;
    let good = Upstream::with_status(200).await;
    let mut cluster = behind_sidecars(&[draining.address, good.address]);
    cluster.retry = block(retry(1, &["Reset"]));
    cluster.endpoint_breaker = block(breaker(1, std::time::Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    for _ in 0..30 {
        assert_eq!(
            client
                .ask("POST / HTTP/1.1\r\nHost: cart\r\n\r\n")
                .await
                .status,
            200
        );
    }
    let breakers = running.handle.breakers().await.unwrap();
    assert!(draining.calls() > 0 && breakers.iter().all(|status| status.counts.failures == 0));
    assert!(
        running
            .metric("breakwater_attempts_total", &["refused"])
            .await
            > 0.0
    );
}

#[tokio::test]
async fn a_peers_rate_limit_is_not_tried_again_and_its_reason_is_ours() {
    let limited = Upstream::answering(refusing("ratelimit.token policy=shop/x limit=y")).await;
    let mut cluster = behind_sidecars(&[limited.address, limited.address]);
    cluster.endpoints[1].instance = "cart-b".into();
    cluster.retry = block(retry(3, &["503"]));
    let running = Running::with(config(cluster)).await;
    let answer = running.client().await.get("/").await;
    assert_eq!((answer.status, limited.calls()), (503, 1));
    assert_eq!(answer.reason(), "ratelimit.token");
    let counted = running
        .metric("breakwater_requests_total", &["ratelimit.token"])
        .await;
    assert_eq!(counted, 1.0);
}

#[tokio::test]
async fn what_an_application_writes_in_a_sidecars_name_is_not_believed() {
    let liar = Upstream::answering(|_| {
        "HTTP/1.1 503 No\r\nProxy-Status: breakwater; error=x; details=\"draining\"\r\n\
         Breakwater-Retry: exhausted\r\nBreakwater-Attempts: 9\r\nContent-Length: 0\r\n\r\n"
            .to_owned()
    })
    .await;
    let mut calling = cluster(&[liar.address]);
    calling.retry = block(retry(1, &["503"]));
    let running = Running::with(config(calling)).await;
    let answer = running.client().await.get("/").await;
    assert_eq!(
        (answer.field("breakwater-attempts"), liar.calls()),
        (Some("2"), 2)
    );
    let running = Running::start(beside(liar.address));
    let answer = Client::connect(running.inbound()).await.get("/").await;
    assert_eq!(answer.status, 503);
    for field in ["proxy-status", "breakwater-retry", "breakwater-attempts"] {
        assert_eq!(answer.field(field), None, "{field}");
    }
}

#[tokio::test]
async fn internal_fields_do_not_reach_the_application_but_the_deadline() {
    let app = Upstream::with_status(200).await;
    let running = Running::start(beside(app.address));
    let mut client = Client::connect(running.inbound()).await;
    let request = "GET / HTTP/1.1\r\nHost: cart\r\nBreakwater-Retry: x\r\nBreakwater-Via: y\r\n\
                   Breakwater-Deadline-Ms: 9000\r\nConnection: close, x-hop\r\nX-Hop: z\r\n\r\n";
    client.ask(request).await;
    let seen = &app.requests()[0];
    let left: u64 = seen
        .field("breakwater-deadline-ms")
        .unwrap()
        .parse()
        .unwrap();
    assert!((8_000..9_000).contains(&left));
    for field in ["breakwater-retry", "breakwater-via", "x-hop", "connection"] {
        assert_eq!(seen.field(field), None, "{field}");
    }
}

#[tokio::test]
async fn an_application_that_does_not_listen_is_a_refusal_of_its_sidecar() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let running = Running::start(beside(nobody));
    let answer = Client::connect(running.inbound()).await.get("/").await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.field("proxy-status"),
        Some("breakwater; error=connection_refused; details=\"upstream.connect\"")
    );
}

#[tokio::test]
async fn a_limit_at_the_callee_is_told_apart_from_its_application_by_the_caller() {
    let app = Upstream::with_status(200).await;
    let callee = Running::start(beside(app.address));
    let mut inbound = proxy::Config::default();
    let limits = vec![rules(vec![limit("all", 1, Vec::new())])];
    let rules = proxy::config::Inbound {
        service: cart(),
        limits,
        backpressure: None,
        shadow: None,
        routes: Vec::new(),
        scoped: Vec::new(),
    };
    inbound.inbound.insert(cart(), rules.into());
    callee.handle.apply(inbound.into()).await.unwrap();
    let mut cluster = behind_sidecars(&[callee.inbound()]);
    cluster.service_breaker = block(breaker(1, std::time::Duration::from_secs(60)));
    cluster.retry = block(retry(2, &["5xx", "429"]));
    let caller = Running::with(config(cluster)).await;
    let mut client = caller.client().await;
    assert_eq!(client.get("/").await.status, 200);
    for _ in 0..3 {
        let refused = client.get("/").await;
        assert_eq!(refused.status, 429);
        assert!(refused.field("proxy-status").unwrap().contains("limit=all"));
    }
    assert_eq!(app.calls(), 1);
    assert_eq!(caller.handle.breakers().await.unwrap()[0].counts.calls, 1);
}

/// An application that calls the next hop through its own sidecar, forwards nothing but `traceparent`, and turns any
/// failure into a 500 of its own.
async fn hop(outbound: SocketAddr, mut connection: Connection) {
    while let Some(request) = connection.request().await {
        let parent = request.field("traceparent").unwrap().to_owned();
        let call = format!("GET / HTTP/1.1\r\nHost: cart\r\ntraceparent: {parent}\r\n\r\n");
        let answer = Client::connect(outbound).await.ask(&call).await;
        let answer = match answer.status {
            200 => response(200, "fine"),
            _ => response(500, "my own failure"),
        };
        connection.send(answer).await;
    }
}

/// A service whose application calls `next`: the address of its sidecar, and the sidecar itself.
async fn service(next: SocketAddr, next_has_sidecar: bool, when: &[&str]) -> (Running, Upstream) {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let app = Upstream::scripted(move |connection| hop(free, connection)).await;
    let outbound = Some(free);
    let running = Running::start(Settings {
        outbound,
        ..beside(app.address)
    });
    let mut cluster = cluster(&[next]);
    cluster.endpoints[0].has_sidecar = next_has_sidecar;
    let mut retries = retry(2, when);
    retries.budget = crate::support::build::budget(20);
    cluster.retry = block(retries);
    running.handle.apply(config(cluster)).await.unwrap();
    (running, app)
}

#[tokio::test]
async fn in_a_chain_only_the_hop_nearest_to_the_failure_retries() {
    const OFFERED: usize = 100;
    let last = Upstream::with_status(500).await;
    let last_sidecar = Running::start(beside(last.address));
    let (second, second_app) = service(last_sidecar.inbound(), true, &["5xx"]).await;
    let (first, first_app) = service(second.inbound(), true, &["5xx"]).await;
    let client = Running::start(settings());
    let mut cluster = behind_sidecars(&[first.inbound()]);
    let mut retries = retry(2, &["5xx"]);
    retries.budget = crate::support::build::budget(20);
    cluster.retry = block(retries);
    client.handle.apply(config(cluster)).await.unwrap();
    let mut calls = client.client().await;
    let mut marked = 0;
    for _ in 0..OFFERED {
        let answer = calls.get("/").await;
        assert_eq!(answer.status, 500);
        marked += usize::from(answer.field("breakwater-retry") == Some("exhausted"));
    }
    assert_eq!((first_app.calls(), second_app.calls()), (OFFERED, OFFERED));
    assert_eq!((last.calls(), marked), (OFFERED * 12 / 10, OFFERED));
}

#[tokio::test]
async fn so_it_is_where_what_was_retried_in_vain_is_no_failure_by_its_status() {
    let last = Upstream::with_status(429).await;
    let (middle, app) = service(last.address, false, &["429"]).await;
    let mut cluster = behind_sidecars(&[middle.inbound()]);
    cluster.retry = block(retry(2, &["5xx"]));
    let caller = Running::with(config(cluster)).await;
    let answer = caller.client().await.get("/").await;
    assert_eq!(
        (answer.status, answer.field("breakwater-retry")),
        (500, Some("exhausted"))
    );
    assert_eq!((app.calls(), last.calls()), (1, 1));
}
