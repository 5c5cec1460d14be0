//! Bulkheads of requests and of connections: permits, queues, and their return.

use std::time::{Duration, Instant};

use proxy::Settings;
use proxy::config::{Bulkhead, Protocol};
use tokio::io::AsyncWriteExt;

use crate::support::build::{
    block, breaker, bulkhead, cart, cluster, config, pool, question, rule,
};
use crate::support::upstream::response;
use crate::support::worker::{settings, upstream_listener};
use crate::support::{Client, Running, Upstream, until};

async fn running_and_waiting(running: &Running) -> (f64, f64) {
    (
        running
            .metric("breakwater_bulkhead_inflight", &["shop/cart"])
            .await,
        running
            .metric("breakwater_queue_depth", &["outbound", "shop/cart"])
            .await,
    )
}

const GET: &str = "GET / HTTP/1.1\r\nHost: cart\r\n\r\n";

#[tokio::test]
async fn one_runs_one_waits_and_the_next_is_refused() {
    let (upstream, gate) = Upstream::gated().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.bulkhead = block(bulkhead(1, 1, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let (mut first, mut second) = (running.client().await, running.client().await);
    first.send(GET).await;
    until(async || upstream.calls() == 1).await;
    second.send(GET).await;
    until(async || running_and_waiting(&running).await == (1.0, 1.0)).await;
    let refused = running.client().await.get("/").await;
    assert_eq!(refused.status, 503);
    assert_eq!(
        refused.field("proxy-status"),
        Some(
            "breakwater; error=connection_limit_reached; details=\"bulkhead.full policy=shop/cart\""
        )
    );
    gate.add_permits(2);
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(second.answer().await.status, 200);
    until(async || running_and_waiting(&running).await == (0.0, 0.0)).await;
}

#[tokio::test]
async fn who_waits_too_long_is_refused() {
    let (upstream, gate) = Upstream::gated().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.bulkhead = block(bulkhead(1, 1, Duration::from_millis(50)));
    let running = Running::with(config(cluster)).await;
    let mut first = running.client().await;
    first.send(GET).await;
    until(async || upstream.calls() == 1).await;
    let refused = running.client().await.get("/").await;
    assert_eq!(refused.reason(), "bulkhead.wait_timeout");
    gate.add_permits(1);
    assert_eq!((first.answer().await.status, upstream.calls()), (200, 1));
}

#[tokio::test]
async fn a_client_that_leaves_the_queue_frees_its_place() {
    let (upstream, gate) = Upstream::gated().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.bulkhead = block(bulkhead(1, 1, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let (mut first, mut second) = (running.client().await, running.client().await);
    first.send(GET).await;
    until(async || upstream.calls() == 1).await;
    second.send(GET).await;
    until(async || running_and_waiting(&running).await == (1.0, 1.0)).await;
    drop(second);
    until(async || running_and_waiting(&running).await == (1.0, 0.0)).await;
    gate.add_permits(1);
    assert_eq!((first.answer().await.status, upstream.calls()), (200, 1));
}

#[tokio::test]
async fn a_client_that_disconnects_returns_everything_and_ends_the_call() {
    let (upstream, _gate) = Upstream::gated().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.bulkhead = block(bulkhead(1, 0, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    client.send(GET).await;
    until(async || upstream.calls() == 1).await;
    drop(client);
    until(async || running_and_waiting(&running).await == (0.0, 0.0)).await;
    assert_eq!(running.metric("breakwater_inflight", &[]).await, 0.0);
    assert_eq!(running.handle.endpoints().await.unwrap()[0].in_flight, 0);
    let cancelled = running
        .metric("breakwater_requests_total", &["client.cancelled"])
        .await;
    assert_eq!(cancelled, 1.0);
}

#[tokio::test]
async fn connections_are_capped_and_waited_for_in_order() {
    let (upstream, gate) = Upstream::gated().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.pool = block(pool(1));
    let running = Running::with(config(cluster)).await;
    let (mut first, mut second) = (running.client().await, running.client().await);
    first.send(GET).await;
    until(async || upstream.calls() == 1).await;
    second.send(GET).await;
    gate.add_permits(2);
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(second.answer().await.status, 200);
    assert_eq!(upstream.connections(), 1);
}

/// How many calls wait for a connection.
async fn waiting_for_a_connection(running: &Running) -> String {
    let told = running.handle.explain(question()).await.unwrap();
    let step = told.steps.into_iter().find(|it| it.stage == "connections");
    step.unwrap().text
}

#[tokio::test]
async fn routes_take_turns_at_a_full_pool() {
    let (upstream, gate) = Upstream::gated().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.pool = block(pool(1));
    cluster.timeouts = block(proxy::config::Timeouts {
        connect: Duration::from_secs(60),
        ..Default::default()
    });
    cluster.routes = vec![
        rule("many", "/many"),
        rule("one", "/one"),
        rule("rest", "/"),
    ];
    let running = Running::with(config(cluster)).await;
    let mut clients = Vec::new();
    for (waiting, path) in ["/many/0", "/many/1", "/many/2", "/one"].iter().enumerate() {
        let mut client = running.client().await;
        client
            .send(format!("GET {path} HTTP/1.1\r\nHost: cart\r\n\r\n"))
            .await;
        let told = format!("1 of 1 in use, {waiting} waiting");
        until(async || waiting_for_a_connection(&running).await.contains(&told)).await;
        clients.push(client);
    }
    gate.add_permits(4);
    for client in &mut clients {
        assert_eq!(client.answer().await.status, 200);
    }
    let heads = upstream.requests().into_iter().map(|request| request.head);
    let paths: Vec<_> = heads
        .map(|head| head.split(' ').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(paths, ["/many/0", "/many/1", "/one", "/many/2"]);
}

#[tokio::test]
async fn what_is_left_once_there_is_a_connection_is_handed_on() {
    let (upstream, gate) = Upstream::gated().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.pool = block(pool(1));
    cluster.timeouts = block(proxy::config::Timeouts {
        connect: Duration::from_secs(60),
        request: Some(Duration::from_secs(60)),
        ..Default::default()
    });
    let running = Running::with(config(cluster)).await;
    let (mut first, mut second) = (running.client().await, running.client().await);
    first.send(GET).await;
    until(async || upstream.calls() == 1).await;
    second.send(GET).await;
    until(async || {
        waiting_for_a_connection(&running)
            .await
            .contains("1 waiting")
    })
    .await;
    let began = Instant::now();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let waited_ms = began.elapsed().as_millis() as u64;
    gate.add_permits(2);
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(second.answer().await.status, 200);
    let left = upstream.requests()[1]
        .field("breakwater-deadline-ms")
        .unwrap()
        .parse::<u64>();
    assert!(left.unwrap() <= 59_998 - waited_ms);
}

#[tokio::test]
async fn who_leaves_the_queue_is_noticed_behind_a_body() {
    let (upstream, gate) = Upstream::gated().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.bulkhead = block(bulkhead(1, 1, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let (mut first, mut second) = (running.client().await, running.client().await);
    first.send(GET).await;
    until(async || upstream.calls() == 1).await;
    let body = "x".repeat(60_000);
    second
        .send(format!(
            "POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 60000\r\n\r\n{body}"
        ))
        .await;
    until(async || running_and_waiting(&running).await == (1.0, 1.0)).await;
    drop(second);
    until(async || running_and_waiting(&running).await == (1.0, 0.0)).await;
    gate.add_permits(1);
    assert_eq!((first.answer().await.status, upstream.calls()), (200, 1));
}

#[tokio::test]
async fn who_leaves_the_queue_is_noticed_behind_a_body_of_which_no_more_is_read() {
    let (upstream, gate) = Upstream::gated().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.bulkhead = block(bulkhead(1, 1, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let mut first = running.client().await;
    first.send(GET).await;
    until(async || upstream.calls() == 1).await;
    for is_reset in [true, false] {
        let mut second = running.client().await;
        let head = "POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 100000\r\n\r\n";
        second.send(head).await;
        second.send("x".repeat(100_000)).await;
        until(async || running_and_waiting(&running).await == (1.0, 1.0)).await;
        if is_reset {
            let socket = socket2::SockRef::from(&second.stream);
            socket.set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(second);
        until(async || running_and_waiting(&running).await == (1.0, 0.0)).await;
    }
    gate.add_permits(1);
    assert_eq!((first.answer().await.status, upstream.calls()), (200, 1));
}

#[tokio::test]
async fn who_waits_at_a_bulkhead_that_is_taken_away_goes_on() {
    let (upstream, gate) = Upstream::gated().await;
    let with = |has_bulkhead: bool| {
        let mut cluster = cluster(&[upstream.address]);
        let at_once = bulkhead(1, 1, Duration::from_secs(60));
        cluster.bulkhead = block(at_once).filter(|_| has_bulkhead);
        config(cluster)
    };
    let running = Running::with(with(true)).await;
    let (mut first, mut second) = (running.client().await, running.client().await);
    first.send(GET).await;
    until(async || upstream.calls() == 1).await;
    second.send(GET).await;
    until(async || running_and_waiting(&running).await == (1.0, 1.0)).await;
    running.handle.apply(with(false)).await.unwrap();
    until(async || upstream.calls() == 2).await;
    gate.add_permits(2);
    for client in [&mut first, &mut second] {
        assert_eq!(client.answer().await.status, 200);
    }
}

#[tokio::test]
async fn an_attempt_whose_time_ends_in_line_for_a_connection_is_no_failure() {
    let upstream = Upstream::scripted(|mut connection| async move {
        connection.request().await;
        let begun =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 5\r\n\r\nhe";
        connection.send(begun).await;
        connection.end().await;
    })
    .await;
    for (per_try, request, refused) in [
        (
            Some(50),
            None,
            (503, "bulkhead.connections policy=shop/cart"),
        ),
        (None, Some(200), (504, "timeout.request policy=shop/cart")),
    ] {
        let mut cluster = cluster(&[upstream.address]);
        cluster.pool = block(pool(1));
        cluster.service_breaker = block(breaker(1, Duration::from_secs(60)));
        cluster.timeouts = block(proxy::config::Timeouts {
            connect: Duration::from_secs(60),
            per_try: per_try.map(Duration::from_millis),
            request: request.map(Duration::from_millis),
            ..Default::default()
        });
        let running = Running::with(config(cluster)).await;
        let mut first = running.client().await;
        first.send(GET).await;
        first.head_answer().await;
        let answer = running.client().await.get("/").await;
        assert_eq!((answer.status, answer.details()), refused);
        let calls = running.handle.breakers().await.unwrap()[0].counts.calls;
        assert_eq!(calls, 0);
    }
}

#[tokio::test]
async fn a_connection_is_waited_for_as_long_as_connecting_may_take() {
    let (upstream, gate) = Upstream::gated().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.pool = block(pool(1));
    let connect = Duration::from_millis(50);
    cluster.timeouts = block(proxy::config::Timeouts {
        connect,
        ..Default::default()
    });
    let running = Running::with(config(cluster)).await;
    let mut first = running.client().await;
    first.send(GET).await;
    until(async || upstream.calls() == 1).await;
    let refused = running.client().await.get("/").await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.details(), "bulkhead.connections policy=shop/cart");
    gate.add_permits(1);
    assert_eq!(first.answer().await.status, 200);
}

#[tokio::test]
async fn a_retry_within_a_full_cap_uses_the_place_it_has() {
    let upstream = Upstream::answering(|request| match request.place {
        0 => response(503, "not yet"),
        _ => response(200, "hello"),
    })
    .await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.pool = block(pool(1));
    cluster.retry = block(crate::support::build::retry(1, &["503"]));
    let running = Running::with(config(cluster)).await;
    assert_eq!(
        (
            running.client().await.get("/").await.status,
            upstream.calls()
        ),
        (200, 2)
    );
}

/// A service of another protocol, to which there may be one connection, and a client that has it.
async fn occupied(protocol: Protocol) -> (Upstream, Running, Client) {
    let upstream = Upstream::scripted(|mut connection| async move {
        while let Some(bytes) = connection.bytes(2).await {
            connection.send(bytes.to_ascii_uppercase()).await;
        }
    })
    .await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.ports[0].protocol = protocol;
    cluster.pool = block(pool(1));
    cluster.timeouts = block(proxy::config::Timeouts {
        connect: Duration::from_secs(60),
        ..Default::default()
    });
    let running = Running::start(Settings {
        upstreams: vec![upstream_listener(cart(), 80)],
        ..settings()
    });
    running.handle.apply(config(cluster)).await.unwrap();
    let mut first = waiting(&running).await;
    first.send([0, 1]).await;
    assert_eq!(first.bytes(2).await, [0, 1]);
    (upstream, running, first)
}

/// A client of that service.
async fn waiting(running: &Running) -> Client {
    Client::connect(running.handle.addresses().upstreams[0]).await
}

/// Until so many wait for a connection.
async fn in_line(running: &Running, waiting: usize) {
    let told = format!("1 of 1 in use, {waiting} waiting");
    until(async || waiting_for_a_connection(running).await.contains(&told)).await;
}

#[tokio::test]
async fn a_connection_whose_client_leaves_the_line_frees_its_place() {
    for protocol in [Protocol::Opaque, Protocol::Any] {
        let (upstream, running, _first) = occupied(protocol).await;
        let silent = waiting(&running).await;
        let mut reset = waiting(&running).await;
        reset.send([2, 3]).await;
        in_line(&running, 2).await;
        drop(silent);
        in_line(&running, 1).await;
        let linger = Some(Duration::ZERO);
        let socket = socket2::SockRef::from(&reset.stream);
        socket.set_linger(linger).unwrap();
        drop(reset);
        in_line(&running, 0).await;
        let family = "breakwater_requests_total";
        let cancelled = running.metric(family, &["client.cancelled"]).await;
        assert_eq!((cancelled, upstream.connections()), (2.0, 1));
    }
}

#[tokio::test]
async fn what_a_client_has_sent_in_line_arrives_also_when_it_sends_no_more() {
    for protocol in [Protocol::Opaque, Protocol::Any] {
        let (_upstream, running, first) = occupied(protocol).await;
        let mut second = waiting(&running).await;
        second.send([2, 3]).await;
        in_line(&running, 1).await;
        second.stream.shutdown().await.unwrap();
        drop(first);
        assert_eq!(second.bytes(2).await, [2, 3]);
        assert_eq!(second.end().await, []);
    }
}

#[tokio::test]
async fn what_is_http_after_all_is_told_by_what_came_in_line() {
    let (_upstream, running, first) = occupied(Protocol::Any).await;
    let mut second = waiting(&running).await;
    in_line(&running, 1).await;
    second
        .send("GET /late HTTP/1.1\r\nHost: cart\r\n\r\n")
        .await;
    drop(first);
    // The upstream echoes in capitals, which is no answer.
    let answer = second.answer().await;
    assert_eq!((answer.status, answer.reason()), (502, "upstream.protocol"));
}

#[tokio::test]
async fn an_idle_connection_to_one_endpoint_makes_room_for_another() {
    let (one, other) = (
        Upstream::with_status(200).await,
        Upstream::with_status(200).await,
    );
    let mut cluster = cluster(&[one.address, other.address]);
    cluster.pool = block(pool(1));
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    for _ in 0..20 {
        assert_eq!(client.get("/").await.status, 200);
    }
    assert!(one.calls() > 0 && other.calls() > 0);
    assert_eq!(
        running
            .metric("breakwater_connections", &["upstream_idle"])
            .await,
        1.0
    );
}

#[tokio::test]
async fn bulkheads_of_one_name_share_their_permits() {
    let (upstream, gate) = Upstream::gated().await;
    let shared = Bulkhead {
        shared: Some("shop/pool".into()),
        ..bulkhead(1, 0, Duration::from_secs(1))
    };
    let mut one = cluster(&[upstream.address]);
    one.bulkhead = block(shared);
    let mut other = one.clone();
    other.service = proxy::ServiceName::new("shop", "prices");
    let mut both = (*config(one)).clone();
    both.hosts
        .insert("prices.shop".into(), other.service.clone());
    both.clusters.insert(other.service.clone(), other.into());
    let running = Running::with(both.into()).await;
    let mut first = running.client().await;
    first.send(GET).await;
    until(async || upstream.calls() == 1).await;
    let mut second = running.client().await;
    let refused = second.ask("GET / HTTP/1.1\r\nHost: prices\r\n\r\n").await;
    assert_eq!(refused.reason(), "bulkhead.full");
    gate.add_permits(2);
    assert_eq!(first.answer().await.status, 200);
    let answer = second.ask("GET / HTTP/1.1\r\nHost: prices\r\n\r\n").await;
    assert_eq!(answer.status, 200);
}
