//! Retries and their budget, counted at the upstream.

use std::time::{Duration, SystemTime};

use policy::budget::Rate;
use policy::retry::Strategy;

use crate::support::build::{SECOND_NS, block, breaker, budget, cluster, config, retry};
use crate::support::upstream::{Connection, response};
use crate::support::{Running, Upstream};

/// Fails the first `failures` requests, then answers.
async fn failing(failures: usize) -> Upstream {
    Upstream::answering(move |request| match request.place < failures {
        true => response(503, "not yet"),
        false => response(200, "hello"),
    })
    .await
}

async fn retrying(upstream: &Upstream, retries: proxy::config::Retry) -> Running {
    let mut cluster = cluster(&[upstream.address]);
    cluster.retry = block(retries);
    Running::with(config(cluster)).await
}

#[tokio::test]
async fn a_listed_status_is_tried_again() {
    let upstream = failing(2).await;
    let running = retrying(&upstream, retry(2, &["503"])).await;
    let answer = running.client().await.get("/").await;
    assert_eq!((answer.status, answer.text()), (200, "hello"));
    assert_eq!(answer.field("breakwater-attempts"), Some("3"));
    assert_eq!(answer.field("breakwater-retry"), None);
    assert_eq!((upstream.calls(), upstream.connections()), (3, 1));
}

#[tokio::test]
async fn the_last_answer_goes_back_when_tries_run_out() {
    let upstream = failing(100).await;
    let running = retrying(&upstream, retry(2, &["503"])).await;
    let mut client = running.client().await;
    let answer = client.get("/").await;
    assert_eq!((answer.status, answer.text()), (503, "not yet"));
    assert_eq!(answer.field("breakwater-attempts"), Some("3"));
    assert_eq!(answer.field("breakwater-retry"), Some("exhausted"));
    assert_eq!(
        answer.field("proxy-status"),
        Some("breakwater; details=\"retry.exhausted policy=shop/cart\"")
    );
    assert_eq!(upstream.calls(), 3);
    let decisions = running.handle.decisions(10).await.unwrap();
    assert_eq!(
        (decisions[0].reason.as_str(), decisions[0].status),
        ("retry.exhausted", 503)
    );
}

#[tokio::test]
async fn a_status_that_is_not_listed_is_not_tried_again() {
    let upstream = Upstream::with_status(500).await;
    let running = retrying(&upstream, retry(2, &["503"])).await;
    let answer = running.client().await.get("/").await;
    assert_eq!(
        (answer.status, answer.field("breakwater-retry")),
        (500, None)
    );
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_method_that_the_policy_lists_is_tried_again_whatever_it_is() {
    let upstream = failing(2).await;
    let mut retries = retry(1, &["503"]);
    retries.other_methods = vec!["REPORT".into()];
    let running = retrying(&upstream, retries).await;
    let mut client = running.client().await;
    for (method, status) in [("PURGE", 503), ("REPORT", 200)] {
        let request = format!("{method} / HTTP/1.1\r\nHost: cart\r\n\r\n");
        assert_eq!(client.ask(&request).await.status, status, "{method}");
    }
    assert_eq!(upstream.calls(), 3);
}

#[tokio::test]
async fn a_post_is_tried_again_only_with_an_idempotency_key() {
    let upstream = failing(100).await;
    let running = retrying(&upstream, retry(1, &["503"])).await;
    let mut client = running.client().await;
    let body = "Content-Length: 2\r\n\r\nhi";
    client
        .ask(&format!("POST / HTTP/1.1\r\nHost: cart\r\n{body}"))
        .await;
    assert_eq!(upstream.calls(), 1);
    client
        .ask(&format!(
            "POST / HTTP/1.1\r\nHost: cart\r\nIdempotency-Key: 1\r\n{body}"
        ))
        .await;
    assert_eq!(upstream.calls(), 3);
    assert!(
        upstream
            .requests()
            .iter()
            .all(|request| request.body == b"hi")
    );
}

#[tokio::test]
async fn a_method_declared_idempotent_is_tried_again() {
    let upstream = failing(1).await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.retry = block(retry(1, &["503"]));
    cluster.idempotent_methods = vec!["POST".into()];
    let running = Running::with(config(cluster)).await;
    let answer = running
        .client()
        .await
        .ask("POST / HTTP/1.1\r\nHost: cart\r\n\r\n")
        .await;
    assert_eq!((answer.status, upstream.calls()), (200, 2));
}

#[tokio::test]
async fn a_body_of_replay_bytes_is_sent_again_and_a_longer_one_is_not() {
    let upstream = failing(100).await;
    let running = retrying(&upstream, retry(1, &["503"])).await;
    let mut client = running.client().await;
    for (length, calls) in [(65_536, 2), (65_537, 3)] {
        let body = "x".repeat(length);
        let head = format!("PUT / HTTP/1.1\r\nHost: cart\r\nContent-Length: {length}\r\n\r\n");
        client.ask(&(head + &body)).await;
        assert_eq!(upstream.calls(), calls);
        assert!(
            upstream
                .requests()
                .iter()
                .all(|request| request.body == body.as_bytes() || calls == 3)
        );
    }
}

#[tokio::test]
async fn a_chunked_body_is_sent_again_as_it_came() {
    let upstream = failing(1).await;
    let running = retrying(&upstream, retry(1, &["503"])).await;
    let request = "PUT / HTTP/1.1\r\nHost: cart\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let answer = running.client().await.ask(request).await;
    assert_eq!((answer.status, upstream.calls()), (200, 2));
    let last = &upstream.requests()[1];
    assert_eq!(last.body, b"5\r\nabcde\r\n0\r\n\r\n");
}

#[tokio::test]
async fn the_budget_refuses_what_it_has_no_retries_for() {
    let upstream = failing(1_000).await;
    let mut retries = retry(1, &["503"]);
    retries.budget = budget(20);
    let running = retrying(&upstream, retries).await;
    let mut client = running.client().await;
    let mut refused = 0;
    for _ in 0..100 {
        let answer = client.get("/").await;
        refused += usize::from(
            answer.field("proxy-status")
                == Some("breakwater; details=\"retry.budget policy=shop/cart\""),
        );
    }
    assert_eq!((upstream.calls(), refused), (120, 80));
}

#[tokio::test]
async fn without_word_of_other_callers_the_floor_is_one_retry_a_second_at_most() {
    let upstream = failing(1_000).await;
    let mut retries = retry(1, &["503"]);
    retries.budget = budget(0);
    retries.budget.floor = Rate {
        count: 10,
        per_ns: SECOND_NS,
    };
    let running = retrying(&upstream, retries).await;
    let balance = "breakwater_retry_budget_balance";
    assert_eq!(running.metric(balance, &["shop/cart"]).await, 10.0);
    let callers = vec![(crate::support::build::cart(), 5)];
    running.handle.set_live_callers(callers).await.unwrap();
    assert_eq!(running.metric(balance, &["shop/cart"]).await, 20.0);
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_whatever_the_method() {
    let upstream = Upstream::with_status(200).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut cluster = cluster(&[nobody, upstream.address]);
    cluster.retry = block(retry(1, &["ConnectFailure"]));
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    for _ in 0..20 {
        let answer = client.ask("POST / HTTP/1.1\r\nHost: cart\r\n\r\n").await;
        assert_eq!(answer.status, 200);
    }
    assert_eq!(upstream.calls(), 20);
    assert!(
        running
            .metric("breakwater_attempts_total", &["connect"])
            .await
            > 0.0
    );
}

/// Refuses every request until so much later, in words of RFC 9110.
async fn busy(retry_after: String) -> Upstream {
    Upstream::answering(move |_| {
        format!("HTTP/1.1 503 No\r\nRetry-After: {retry_after}\r\nContent-Length: 0\r\n\r\n")
    })
    .await
}

/// The date so many seconds from now.
fn date(seconds: u64) -> String {
    httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds))
}

#[tokio::test]
async fn retry_after_is_waited_for_and_what_does_not_fit_goes_back_at_once() {
    for retry_after in ["30".to_owned(), date(30)] {
        let upstream = busy(retry_after).await;
        let mut cluster = cluster(&[upstream.address]);
        cluster.retry = block(retry(2, &["503"]));
        let timeouts = crate::support::build::timeouts();
        cluster.timeouts = block(proxy::config::Timeouts {
            request: Some(Duration::from_secs(5)),
            ..timeouts
        });
        let running = Running::with(config(cluster)).await;
        let answer = running.client().await.get("/").await;
        assert_eq!(
            (answer.status, answer.field("breakwater-retry")),
            (503, Some("exhausted"))
        );
        assert_eq!(upstream.calls(), 1);
    }
}

#[tokio::test]
async fn a_retry_after_that_has_passed_asks_for_no_wait() {
    let upstream = busy("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()).await;
    let running = retrying(&upstream, retry(2, &["503"])).await;
    let answer = running.client().await.get("/").await;
    assert_eq!((answer.status, upstream.calls()), (503, 3));
}

#[tokio::test]
async fn retry_after_weighs_on_its_endpoint_in_either_form() {
    for retry_after in ["200".to_owned(), date(200)] {
        let upstream = busy(retry_after).await;
        let running = Running::with(config(cluster(&[upstream.address]))).await;
        assert_eq!(running.client().await.get("/").await.status, 503);
        let latency = running.handle.endpoints().await.unwrap()[0].latency;
        assert!(latency > Duration::from_secs(100), "{latency:?}");
    }
}

#[tokio::test]
async fn the_delay_between_tries_is_kept() {
    let upstream = failing(1).await;
    let mut retries = retry(1, &["503"]);
    retries.params.backoff.strategy = Strategy::Fixed;
    retries.params.backoff.base_ns = 50_000_000;
    let running = retrying(&upstream, retries).await;
    let began = std::time::Instant::now();
    assert_eq!(running.client().await.get("/").await.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_breaker_that_opens_between_tries_sends_the_previous_answer_back_and_costs_no_budget() {
    let upstream = failing(100).await;
    let mut cluster = cluster(&[upstream.address]);
    let mut retries = retry(5, &["503"]);
    retries.budget = budget(100);
    cluster.retry = block(retries);
    cluster.service_breaker = block(breaker(1, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let answer = running.client().await.get("/").await;
    assert_eq!((answer.status, answer.text()), (503, "not yet"));
    assert_eq!(upstream.calls(), 1);
    assert_eq!(
        running
            .metric("breakwater_retry_budget_balance", &["shop/cart"])
            .await,
        1.0
    );
}

/// Answers the first request of a connection, and closes as the second arrives.
async fn hang_up(mut connection: Connection) {
    if connection.request().await.is_some() {
        connection.send(response(200, "hello")).await;
    }
    let _ = connection.request().await;
}

#[tokio::test]
async fn a_stale_connection_costs_a_safe_request_nothing_and_is_not_counted() {
    let upstream = Upstream::scripted(hang_up).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let mut client = running.client().await;
    assert_eq!(client.get("/1").await.status, 200);
    let answer = client.get("/2").await;
    assert_eq!(
        (answer.status, answer.field("breakwater-attempts")),
        (200, None)
    );
    assert_eq!((upstream.calls(), upstream.connections()), (3, 2));
    assert_eq!(running.metric("breakwater_attempts_total", &[]).await, 2.0);
}

#[tokio::test]
async fn a_stale_connection_fails_a_request_that_is_not_safe() {
    let upstream = Upstream::scripted(hang_up).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let mut client = running.client().await;
    assert_eq!(client.get("/1").await.status, 200);
    let answer = client.ask("POST / HTTP/1.1\r\nHost: cart\r\n\r\n").await;
    assert_eq!(answer.status, 502);
    assert_eq!(
        answer.field("proxy-status"),
        Some("breakwater; error=connection_terminated; details=\"upstream.reset\"")
    );
    assert_eq!(upstream.calls(), 2);
}
