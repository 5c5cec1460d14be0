//! Configurations swapped under load, draining, full tables, bounds, and what stays when all is over.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proxy::config::{AccessLog, AccessLogMode};
use proxy::report::Direction;
use proxy::{Bounds, LogSink, Phase, Settings};
use tokio::net::TcpStream;

use crate::limits::inbound;
use crate::support::build::{block, breaker, bulkhead, cluster, config, retry};
use crate::support::upstream::response;
use crate::support::worker::{beside, settings};
use crate::support::{Client, Running, Upstream, soon, until};

#[tokio::test(flavor = "multi_thread")]
async fn swapping_configurations_under_load_fails_nothing_and_keeps_the_machines() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let outbound = running.outbound();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        clients.spawn(async move {
            let mut client = Client::connect(outbound).await;
            for _ in 0..300 {
                assert_eq!(client.get("/").await.status, 200);
            }
        });
    }
    let mut swaps: u32 = 0;
    while !clients.is_empty() {
        let mut next = cluster(&[upstream.address]);
        next.bulkhead = swaps
            .is_multiple_of(2)
            .then(|| block(bulkhead(50, 50, Duration::from_secs(1))))
            .flatten();
        next.service_breaker = block(breaker(5 + swaps % 3, Duration::from_secs(1)));
        next.retry = block(retry(swaps % 3, &["503"]));
        running.handle.apply(config(next)).await.unwrap();
        swaps += 1;
        while let Some(done) = clients.try_join_next() {
            done.unwrap();
        }
    }
    assert!(swaps > 1);
    assert_eq!(upstream.calls(), 1_200);
    assert_eq!(
        running.metric("breakwater_requests_total", &["2xx"]).await,
        1_200.0
    );
    assert_eq!(
        running.handle.breakers().await.unwrap()[0]
            .counts
            .calls
            .min(100),
        100
    );
}

#[tokio::test]
async fn an_open_breaker_stays_open_through_an_edit_and_goes_with_its_block() {
    let upstream = Upstream::with_status(500).await;
    let mut guarded = cluster(&[upstream.address]);
    guarded.service_breaker = block(breaker(1, Duration::from_secs(60)));
    let running = Running::with(config(guarded.clone())).await;
    let mut client = running.client().await;
    client.get("/").await;
    guarded.service_breaker = block(breaker(2, Duration::from_secs(60)));
    running.handle.apply(config(guarded.clone())).await.unwrap();
    assert_eq!(client.get("/").await.status, 503);
    guarded.service_breaker = None;
    running.handle.apply(config(guarded)).await.unwrap();
    assert_eq!((client.get("/").await.status, upstream.calls()), (500, 2));
}

#[tokio::test]
async fn draining_finishes_what_is_under_way_and_then_leaves() {
    let (upstream, gate) = Upstream::gated().await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let (mut busy, mut idle) = (running.client().await, running.client().await);
    gate.add_permits(1);
    assert_eq!(idle.get("/").await.status, 200);
    busy.send("GET / HTTP/1.1\r\nHost: cart\r\n\r\n").await;
    until(async || upstream.calls() == 2).await;
    let handle = running.handle.clone();
    let draining = tokio::spawn(async move { handle.drain(Duration::from_secs(20)).await });
    assert!(idle.end().await.is_empty());
    until(async || TcpStream::connect(running.outbound()).await.is_err()).await;
    gate.add_permits(1);
    let answer = busy.answer().await;
    assert_eq!(
        (answer.status, answer.field("connection")),
        (200, Some("close"))
    );
    soon(draining).await.unwrap().unwrap();
    assert_eq!(running.handle.stats().await.unwrap().in_flight, 0);
}

#[tokio::test]
async fn one_direction_leaves_while_the_other_goes_on() {
    let app = Upstream::with_status(200).await;
    let running = Running::start(beside(app.address));
    let mut both = (*config(cluster(&[app.address]))).clone();
    both.inbound = inbound(Vec::new()).inbound.clone();
    running.handle.apply(Arc::new(both)).await.unwrap();
    let mut calling = running.client().await;
    let mut called = Client::connect(running.inbound()).await;
    for client in [&mut calling, &mut called] {
        assert_eq!(client.get("/").await.field("connection"), None);
    }
    let handle = &running.handle;
    handle
        .advance(Direction::Inbound, Phase::Leaving)
        .await
        .unwrap();
    let late = Client::connect(running.inbound()).await.get("/").await;
    assert_eq!(
        (late.status, late.field("connection")),
        (200, Some("close"))
    );
    handle
        .advance(Direction::Inbound, Phase::Closed)
        .await
        .unwrap();
    handle
        .advance(Direction::Inbound, Phase::Leaving)
        .await
        .unwrap();
    assert!(called.end().await.is_empty());
    until(async || TcpStream::connect(running.inbound()).await.is_err()).await;
    assert_eq!(running.client().await.get("/").await.status, 200);
    assert_eq!(calling.get("/").await.field("connection"), None);
    let unused = handle.clone();
    let unused = tokio::spawn(async move { unused.unused().await });
    assert_eq!(calling.get("/").await.status, 200);
    assert!(!unused.is_finished());
    drop(calling);
    soon(unused).await.unwrap().unwrap();
}

#[tokio::test]
async fn draining_leaves_by_its_deadline() {
    let upstream = Upstream::scripted(|mut connection| async move { connection.end().await }).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let mut client = running.client().await;
    client.send("GET / HTTP/1.1\r\nHost: cart\r\n\r\n").await;
    until(async || upstream.connections() == 1).await;
    soon(running.handle.drain(Duration::from_millis(50)))
        .await
        .unwrap();
    assert!(client.end().await.is_empty());
    until(async || running.metric("breakwater_inflight", &[]).await == 0.0).await;
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed_and_counted() {
    let upstream = Upstream::with_status(200).await;
    let bounds = Bounds {
        max_connections: 2,
        ..Bounds::default()
    };
    let running = Running::start(Settings {
        bounds,
        ..settings()
    });
    running
        .handle
        .apply(config(cluster(&[upstream.address])))
        .await
        .unwrap();
    let (mut one, mut two) = (running.client().await, running.client().await);
    assert_eq!(
        (one.get("/").await.status, two.get("/").await.status),
        (200, 200)
    );
    assert!(running.client().await.end().await.is_empty());
    assert_eq!(
        running
            .metric("breakwater_overflows_total", &["connections"])
            .await,
        1.0
    );
    drop(one);
    until(async || {
        running
            .metric("breakwater_connections", &["downstream"])
            .await
            == 1.0
    })
    .await;
    assert_eq!(running.client().await.get("/").await.status, 200);
}

#[tokio::test]
async fn a_flood_from_outside_leaves_the_workload_places_of_its_own() {
    let app = Upstream::with_status(200).await;
    let bounds = Bounds {
        max_connections: 8,
        ..Bounds::default()
    };
    let running = Running::start(Settings {
        bounds,
        ..beside(app.address)
    });
    let mut both = (*config(cluster(&[app.address]))).clone();
    both.inbound = inbound(Vec::new()).inbound.clone();
    running.handle.apply(Arc::new(both)).await.unwrap();
    let mut flood = Vec::new();
    for _ in 0..7 {
        let mut client = Client::connect(running.inbound()).await;
        assert_eq!(client.get("/").await.status, 200);
        flood.push(client);
    }
    let late = Client::connect(running.inbound()).await.end().await;
    assert!(late.is_empty());
    let full = running.metric("breakwater_table_ratio", &["connections"]);
    assert_eq!(full.await, 1.0);
    assert_eq!(running.client().await.get("/").await.status, 200);
}

#[tokio::test]
async fn a_malformed_request_is_answered_counted_and_ends_its_connection() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let mut client = running.client().await;
    client
        .send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        .await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, answer.field("connection")),
        (400, Some("close"))
    );
    assert_eq!(
        answer.field("proxy-status"),
        Some("breakwater; error=http_request_error; details=\"protocol.invalid\"")
    );
    assert!(client.end().await.is_empty());
    assert_eq!(
        running
            .metric("breakwater_http1_refusals_total", &["host_repeated"])
            .await,
        1.0
    );
    assert_eq!(
        running
            .metric("breakwater_requests_total", &["protocol.invalid"])
            .await,
        1.0
    );
    assert_eq!(running.client().await.get("/").await.status, 200);
}

#[tokio::test]
async fn resting_connections_that_the_upstream_closes_are_let_go() {
    let upstream = Upstream::scripted(|mut connection| async move {
        connection.request().await;
        connection.send(response(200, "hello")).await;
    })
    .await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    assert_eq!(running.client().await.get("/").await.status, 200);
    until(async || {
        running
            .metric("breakwater_connections", &["upstream_idle"])
            .await
            == 0.0
    })
    .await;
}

#[tokio::test]
async fn a_connection_retires_after_its_requests() {
    let upstream = Upstream::with_status(200).await;
    let mut cluster = cluster(&[upstream.address]);
    let pool = crate::support::build::pool(10);
    cluster.pool = block(proxy::config::Pool {
        max_requests: Some(2),
        ..pool
    });
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    for _ in 0..5 {
        client.get("/").await;
    }
    assert_eq!((upstream.calls(), upstream.connections()), (5, 3));
}

/// A writer that keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn errors_are_always_logged_and_the_rest_as_told() {
    let upstream = Upstream::answering(|request| match request.place {
        0 => response(200, "hello"),
        1 => response(500, "broken"),
        _ => response(200, "hello"),
    })
    .await;
    let kept = Kept::default();
    let running = Running::start(Settings {
        log: LogSink::new(kept.clone()),
        ..settings()
    });
    let log = |mode| {
        let mut next = (*config(cluster(&[upstream.address]))).clone();
        next.access_log = AccessLog {
            mode,
            sample: policy::Percent::new(0),
        };
        Arc::new(next)
    };
    running
        .handle
        .apply(log(AccessLogMode::ErrorsAndSampled))
        .await
        .unwrap();
    let mut client = running.client().await;
    client.get("/").await;
    client.get("/secret/path?key=1").await;
    until(async || kept.lines().len() == 1).await;
    let line = kept.lines()[0].clone();
    for part in [
        "\"direction\":\"outbound\"",
        "\"method\":\"GET\"",
        "\"status\":500",
        "\"reason\":null",
        "\"attempt_count\":1",
        "\"bytes_out\":6",
        "\"src\":\"web-1\"",
        "\"dst\":\"shop/cart\"",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(!line.contains("secret") && !line.contains("key=1"));
    running.handle.apply(log(AccessLogMode::All)).await.unwrap();
    client.get("/").await;
    until(async || kept.lines().len() == 2).await;
}

#[tokio::test]
async fn services_called_lately_are_told() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    assert!(running.handle.stats().await.unwrap().called.is_empty());
    running.client().await.get("/").await;
    let called = running.handle.stats().await.unwrap().called;
    assert_eq!(called, [crate::support::build::cart()]);
}
