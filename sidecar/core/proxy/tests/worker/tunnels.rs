//! Other protocols through the sidecar: upgrades, and CONNECT to names of the mesh.

use std::time::Duration;

use proxy::Settings;
use proxy::config::Protocol;
use tokio::time::timeout;

use crate::support::build::{block, bulkhead, cart, cluster, config, retry, rules, trickle};
use crate::support::upstream::response;
use crate::support::worker::{beside, settings, upstream_listener};
use crate::support::{Client, Running, Upstream, until};

/// Switches protocols, then echoes in capitals.
async fn shouting() -> Upstream {
    Upstream::scripted(|mut connection| async move {
        connection.request().await;
        connection
            .send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n")
            .await;
        connection.send("Upgrade: echo\r\n\r\n").await;
        while let Some(bytes) = connection.bytes(2).await {
            connection.send(bytes.to_ascii_uppercase()).await;
        }
    })
    .await
}

const UPGRADE: &str =
    "GET / HTTP/1.1\r\nHost: cart\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

#[tokio::test]
async fn an_upgrade_becomes_a_tunnel_that_holds_its_permit() {
    let upstream = shouting().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.bulkhead = block(bulkhead(1, 0, Duration::from_secs(1)));
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    let answer = client.ask(UPGRADE).await;
    assert_eq!(
        (answer.status, answer.field("upgrade")),
        (101, Some("echo"))
    );
    client.send("hi").await;
    assert_eq!(client.bytes(2).await, b"HI");
    assert_eq!(
        running.metric("breakwater_bulkhead_inflight", &[]).await,
        1.0
    );
    drop(client);
    until(async || running.metric("breakwater_bulkhead_inflight", &[]).await == 0.0).await;
}

/// 64 KiB come at once, and of what exceeds them one byte a second.
async fn comes_at_a_trickle(client: &mut Client) {
    client.send(vec![b'a'; 70_000]).await;
    assert_eq!(client.bytes(65_536).await, vec![b'A'; 65_536]);
    let rest = timeout(Duration::from_secs(1), client.bytes(4_464));
    assert!(rest.await.is_err());
}

#[tokio::test]
async fn bytes_of_a_tunnel_pass_no_faster_than_they_may() {
    let upstream = shouting().await;
    let mut cluster = cluster(&[upstream.address]);
    let mut rules = rules(Vec::new());
    rules.downloads = vec![trickle()];
    cluster.limits = vec![rules];
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    assert_eq!(client.ask(UPGRADE).await.status, 101);
    comes_at_a_trickle(&mut client).await;
}

#[tokio::test]
async fn so_do_those_of_a_connection_of_another_protocol() {
    let upstream = Upstream::scripted(|mut connection| async move {
        while let Some(bytes) = connection.bytes(2).await {
            connection.send(bytes.to_ascii_uppercase()).await;
        }
    })
    .await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.ports[0].protocol = Protocol::Opaque;
    let mut rules = rules(Vec::new());
    rules.uploads = vec![trickle()];
    cluster.limits = vec![rules];
    let running = Running::start(Settings {
        upstreams: vec![upstream_listener(cart(), 80)],
        ..settings()
    });
    running.handle.apply(config(cluster)).await.unwrap();
    let mut client = Client::connect(running.handle.addresses().upstreams[0]).await;
    comes_at_a_trickle(&mut client).await;
}

#[tokio::test]
async fn nothing_behind_an_upgrade_goes_upstream_before_its_101() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let mut client = running.client().await;
    client
        .send(format!(
            "{UPGRADE}GET /smuggled HTTP/1.1\r\nHost: cart\r\n\r\n"
        ))
        .await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(client.answer().await.status, 200);
    let heads: Vec<_> = upstream
        .requests()
        .into_iter()
        .map(|request| request.head)
        .collect();
    assert!(heads[0].contains("upgrade: echo") && heads[1].starts_with("GET /smuggled"));
}

#[tokio::test]
async fn an_upgrade_to_http2_is_not_passed_on() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let request = "GET / HTTP/1.1\r\nHost: cart\r\nConnection: upgrade, http2-settings\r\n\
                   Upgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n";
    assert_eq!(running.client().await.ask(request).await.status, 200);
    let head = upstream.requests()[0].head.to_ascii_lowercase();
    assert!(
        !head.contains("upgrade") && !head.contains("http2-settings"),
        "{head}"
    );
}

#[tokio::test]
async fn connect_to_a_service_reaches_one_of_its_endpoints() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let mut client = running.client().await;
    client
        .send("CONNECT cart.shop:80 HTTP/1.1\r\nHost: cart.shop:80\r\n\r\n")
        .await;
    assert!(
        client
            .bytes(19)
            .await
            .starts_with(b"HTTP/1.1 200 OK\r\n\r\n")
    );
    let answer = client
        .ask("GET /through HTTP/1.1\r\nHost: whatever\r\n\r\n")
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        upstream.requests()[0].head,
        "GET /through HTTP/1.1\r\nHost: whatever\r\n\r\n"
    );
}

#[tokio::test]
async fn connect_is_tried_again_where_an_endpoint_takes_no_connection() {
    let upstream = Upstream::with_status(200).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut cluster = cluster(&[nobody, upstream.address]);
    cluster.retry = block(retry(1, &["ConnectFailure"]));
    let running = Running::with(config(cluster)).await;
    for _ in 0..10 {
        let mut client = running.client().await;
        client
            .send("CONNECT cart.shop:80 HTTP/1.1\r\nHost: cart.shop:80\r\n\r\n")
            .await;
        let answer = client.bytes(19).await;
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n\r\n"));
    }
    let refused = running.metric("breakwater_attempts_total", &["connect"]);
    assert!(refused.await > 0.0);
}

#[tokio::test]
async fn connect_elsewhere_is_refused() {
    let upstream = Upstream::with_status(200).await;
    let mut running = Running::with(config(cluster(&[upstream.address]))).await;
    let mut client = running.client().await;
    client
        .send("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
        .await;
    running
        .demands
        .recv()
        .await
        .unwrap()
        .reply
        .send(proxy::Supply::Unknown)
        .unwrap();
    assert_eq!(client.answer().await.status, 404);
    let wrong_port = "CONNECT cart.shop:443 HTTP/1.1\r\nHost: cart.shop:443\r\n\r\n";
    assert_eq!(running.client().await.ask(wrong_port).await.status, 404);
}

#[tokio::test]
async fn connect_from_outside_is_refused() {
    let app = Upstream::answering(|_| response(200, "no")).await;
    let running = Running::start(beside(app.address));
    let mut client = Client::connect(running.inbound()).await;
    let answer = client
        .ask("CONNECT cart:80 HTTP/1.1\r\nHost: cart:80\r\n\r\n")
        .await;
    assert_eq!((answer.status, app.connections()), (404, 0));
}
