//! Deadlines and timeouts: who is cut when, and what goes on to the next hop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use policy::Percent;
use policy::rate_limit::strain::Resource;
use proxy::config::Timeouts;

use crate::support::build::{block, breaker, cluster, config, retry, timeouts};
use crate::support::full::Full;
use crate::support::upstream::{Connection, response};
use crate::support::worker::{beside, settings};
use crate::support::{Client, Running, Upstream, until};

/// Reads requests and never answers.
async fn silent(mut connection: Connection) {
    while connection.request().await.is_some() {}
}

fn within(request: Duration) -> Timeouts {
    Timeouts {
        request: Some(request),
        ..timeouts()
    }
}

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn a_request_that_takes_too_long_is_cut_and_its_call_ends() {
    let upstream = Upstream::scripted(silent).await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.timeouts = block(within(50 * MS));
    cluster.service_breaker = block(breaker(1, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let began = Instant::now();
    let answer = running.client().await.get("/").await;
    assert_eq!(answer.status, 504);
    assert!(began.elapsed() >= 50 * MS);
    assert_eq!(
        answer.field("proxy-status"),
        Some(
            "breakwater; error=http_response_timeout; details=\"timeout.request policy=shop/cart\""
        )
    );
    let refused = running.client().await.get("/").await;
    assert_eq!(refused.reason(), "breaker.open");
}

#[tokio::test]
async fn a_callers_shorter_deadline_is_not_held_against_the_upstream() {
    let upstream = Upstream::scripted(silent).await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.timeouts = block(within(Duration::from_secs(60)));
    cluster.service_breaker = block(breaker(1, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let request = "GET / HTTP/1.1\r\nHost: cart\r\nbreakwater-deadline-ms: 50\r\n\r\n";
    assert_eq!(running.client().await.ask(request).await.status, 504);
    assert_eq!(running.handle.breakers().await.unwrap()[0].counts.calls, 0);
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_tried_again() {
    let upstream = Upstream::scripted(|mut connection| async move {
        while let Some(request) = connection.request().await {
            if request.place > 0 {
                connection.send(response(200, "hello")).await;
            }
        }
    })
    .await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.timeouts = block(Timeouts {
        per_try: Some(30 * MS),
        ..within(Duration::from_secs(30))
    });
    cluster.retry = block(retry(10, &["PerTryTimeout"]));
    let running = Running::with(config(cluster)).await;
    let answer = running.client().await.get("/").await;
    let attempts: u32 = answer
        .field("breakwater-attempts")
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(answer.status, 200);
    assert!(attempts >= 2);
}

#[tokio::test]
async fn tries_that_all_take_too_long_end_as_a_timeout() {
    let upstream = Upstream::scripted(silent).await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.timeouts = block(Timeouts {
        per_try: Some(20 * MS),
        ..within(Duration::from_secs(30))
    });
    cluster.retry = block(retry(1, &["PerTryTimeout"]));
    let running = Running::with(config(cluster)).await;
    let answer = running.client().await.get("/").await;
    let expired = running
        .metric("breakwater_attempts_total", &["timeout"])
        .await;
    assert_eq!((answer.status, expired), (504, 2.0));
    assert_eq!(answer.field("breakwater-retry"), Some("exhausted"));
    assert_eq!(answer.reason(), "retry.exhausted");
}

#[tokio::test]
async fn a_call_that_is_out_of_time_in_a_later_try_was_retried_in_vain() {
    let upstream = Upstream::scripted(|mut connection| async move {
        match connection.request().await {
            Some(request) if request.place == 0 => connection.send(response(503, "no")).await,
            _ => connection.end().await,
        }
        silent(connection).await;
    })
    .await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.timeouts = block(within(Duration::from_secs(1)));
    cluster.retry = block(retry(1, &["503"]));
    let running = Running::with(config(cluster)).await;
    let answer = running.client().await.get("/").await;
    assert_eq!((answer.status, answer.reason()), (504, "timeout.request"));
    assert_eq!(
        (upstream.calls(), answer.field("breakwater-retry")),
        (2, Some("exhausted"))
    );
}

#[tokio::test]
async fn what_remains_is_handed_on_less_two_milliseconds() {
    let upstream = Upstream::with_status(200).await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.timeouts = block(within(Duration::from_secs(10)));
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    let handed_on = async |client: &mut Client, head: &str| -> u64 {
        client
            .ask(&format!("GET / HTTP/1.1\r\nHost: cart\r\n{head}\r\n"))
            .await;
        let last = upstream.requests().pop().unwrap();
        last.field("breakwater-deadline-ms")
            .unwrap()
            .parse()
            .unwrap()
    };
    assert!((1..=9_998).contains(&handed_on(&mut client, "").await));
    let shorter = handed_on(&mut client, "breakwater-deadline-ms: 1000\r\n").await;
    assert!((1..=998).contains(&shorter), "{shorter}");
    let longer = handed_on(&mut client, "breakwater-deadline-ms: 99999999\r\n").await;
    assert!((999..=9_998).contains(&longer), "{longer}");
    let grpc = handed_on(&mut client, "grpc-timeout: 500m\r\n").await;
    assert!((1..=498).contains(&grpc), "{grpc}");
    let lowered = upstream
        .requests()
        .pop()
        .unwrap()
        .field("grpc-timeout")
        .unwrap()
        .to_owned();
    assert!(
        lowered.ends_with(['u', 'n']) && upstream.calls() == 4,
        "{lowered}"
    );
}

#[tokio::test]
async fn what_arrives_with_nothing_left_is_refused_before_any_work() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let request = "GET / HTTP/1.1\r\nHost: unknown\r\nbreakwater-deadline-ms: 0\r\n\r\n";
    let answer = running.client().await.ask(request).await;
    assert_eq!((answer.status, upstream.calls()), (504, 0));
    assert_eq!(answer.reason(), "deadline.exhausted");
}

#[tokio::test]
async fn calls_inherit_the_deadline_of_the_request_they_serve() {
    let app = Upstream::scripted(silent).await;
    let upstream = Upstream::with_status(200).await;
    let running = Running::start(beside(app.address));
    running
        .handle
        .apply(config(cluster(&[upstream.address])))
        .await
        .unwrap();
    let mut client = Client::connect(running.inbound()).await;
    client
        .send("GET / HTTP/1.1\r\nHost: cart\r\nbreakwater-deadline-ms: 5000\r\n\r\n")
        .await;
    until(async || app.calls() == 1).await;
    let request = app.requests().pop().unwrap();
    let (parent, id) = (
        request.field("traceparent").unwrap(),
        request.field("x-request-id").unwrap(),
    );
    for (place, header) in [
        format!("traceparent: {parent}"),
        format!("x-request-id: {id}"),
    ]
    .iter()
    .enumerate()
    {
        running
            .client()
            .await
            .ask(&format!("GET / HTTP/1.1\r\nHost: cart\r\n{header}\r\n\r\n"))
            .await;
        let handed_on = upstream.requests()[place]
            .field("breakwater-deadline-ms")
            .unwrap()
            .to_owned();
        assert!(
            (3_000..5_000).contains(&handed_on.parse::<u64>().unwrap()),
            "{handed_on}"
        );
    }
    running.client().await.get("/").await;
    assert_eq!(upstream.requests()[2].field("breakwater-deadline-ms"), None);
}

#[tokio::test]
async fn a_body_that_takes_too_long_is_cut_visibly() {
    let upstream = Upstream::scripted(|mut connection| async move {
        connection.request().await;
        connection
            .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            .await;
        connection.end().await;
    })
    .await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.timeouts = block(within(300 * MS));
    let running = Running::with(config(cluster)).await;
    let answer = running.client().await.get("/").await;
    assert_eq!((answer.status, answer.is_whole), (200, false));
    until(async || {
        running
            .metric("breakwater_requests_total", &["timeout.request"])
            .await
            == 1.0
    })
    .await;
}

#[tokio::test]
async fn an_event_stream_outlives_the_request_timeout_until_it_rests_too_long() {
    let upstream = Upstream::scripted(|mut connection| async move {
        connection.request().await;
        connection
            .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
            .await;
        connection.send("Transfer-Encoding: chunked\r\n\r\n").await;
        for _ in 0..6 {
            connection.send("2\r\nhi\r\n").await;
            tokio::time::sleep(60 * MS).await;
        }
        connection.end().await;
    })
    .await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.timeouts = block(Timeouts {
        stream_idle: Some(600 * MS),
        ..within(300 * MS)
    });
    let running = Running::with(config(cluster)).await;
    let answer = running.client().await.get("/").await;
    assert_eq!((answer.text(), answer.is_whole), ("hihihihihihi", false));
    until(async || {
        running
            .metric("breakwater_requests_total", &["timeout.idle"])
            .await
            == 1.0
    })
    .await;
}

/// Sends an event stream that is more than every buffer on the way takes.
async fn endless_events() -> Upstream {
    Upstream::scripted(|mut connection| async move {
        connection.request().await;
        connection
            .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            .await;
        connection.send(vec![b'x'; 64 << 20]).await;
    })
    .await
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off_when_its_stream_is_out_of_time() {
    let upstream = endless_events().await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.timeouts = block(Timeouts {
        stream_idle: Some(100 * MS),
        ..timeouts()
    });
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    client
        .send("GET / HTTP/1.1\r\nHost: cart.shop\r\n\r\n")
        .await;
    until(async || {
        running
            .metric("breakwater_requests_total", &["timeout.idle"])
            .await
            == 1.0
    })
    .await;
}

#[tokio::test]
async fn so_is_one_that_takes_nothing_of_a_body_of_known_length() {
    let upstream = Upstream::scripted(|mut connection| async move {
        connection.request().await;
        connection
            .send("HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
            .await;
        connection.send(vec![b'x'; 64 << 20]).await;
    })
    .await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.timeouts = block(Timeouts {
        stream_idle: Some(100 * MS),
        ..within(Duration::from_secs(3600))
    });
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    client.send("GET / HTTP/1.1\r\nHost: cart\r\n\r\n").await;
    let cut = &["timeout.idle"];
    until(async || running.metric("breakwater_requests_total", cut).await == 1.0).await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off_sooner_while_memory_is_short() {
    let upstream = endless_events().await;
    let mut short = settings();
    short.bounds.standstill = policy::standstill::Params {
        short_ns: 20_000_000,
        look_ns: 20_000_000,
    };
    let gauges = Arc::clone(&short.gauges);
    let running = Running::start(short);
    let config = config(cluster(&[upstream.address]));
    running.handle.apply(config).await.unwrap();
    let mut client = running.client().await;
    client
        .send("GET / HTTP/1.1\r\nHost: cart.shop\r\n\r\n")
        .await;
    until(async || upstream.calls() == 1).await;
    tokio::time::sleep(100 * MS).await;
    let cut = async || {
        let labels = &["timeout.idle"];
        running.metric("breakwater_requests_total", labels).await
    };
    assert_eq!(cut().await, 0.0);
    gauges.publish(Resource::Memory, Some(Percent::new(90)));
    until(async || cut().await == 1.0).await;
}

#[tokio::test]
async fn connecting_that_takes_too_long_is_refused() {
    let full = Full::begin().await;
    let mut cluster = cluster(&[full.address]);
    cluster.timeouts = block(Timeouts {
        connect: 50 * MS,
        ..timeouts()
    });
    let running = Running::with(config(cluster)).await;
    let answer = running.client().await.get("/").await;
    assert_eq!(answer.status, 503);
    assert!(
        answer
            .field("proxy-status")
            .unwrap()
            .contains("error=connection_timeout; details=\"timeout.connect")
    );
}
