//! Bodies both ways: framing kept, ends visible, pressure felt.

use std::time::Duration;

use crate::support::build::{cluster, config};
use crate::support::upstream::{Connection, response};
use crate::support::{Running, Upstream, soon, until};

async fn running(upstream: &Upstream) -> Running {
    Running::with(config(cluster(&[upstream.address]))).await
}

async fn sends(answer: &'static str) -> Upstream {
    Upstream::scripted(move |mut connection| async move {
        while connection.request().await.is_some() {
            connection.send(answer).await;
        }
    })
    .await
}

/// Sends this as its only answer, and closes.
async fn sends_and_closes(answer: &'static str) -> Upstream {
    Upstream::scripted(move |mut connection: Connection| async move {
        if connection.request().await.is_some() {
            connection.send(answer).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_large_body_passes_both_ways() {
    let upstream = Upstream::answering(|request| {
        response(200, std::str::from_utf8(&request.body).unwrap_or_default())
    })
    .await;
    let running = running(&upstream).await;
    let body = "0123456789abcdef".repeat(1 << 17);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut client = running.client().await;
    let answer = client.ask(&(head + &body)).await;
    assert!(answer.is_whole && answer.body == body.as_bytes());
    assert_eq!(client.get("/").await.status, 200);
}

#[tokio::test]
async fn a_chunked_answer_passes_with_its_chunks_and_the_connection_goes_on() {
    let upstream = sends(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    )
    .await;
    let running = running(&upstream).await;
    let mut client = running.client().await;
    for _ in 0..2 {
        let answer = client.get("/").await;
        assert_eq!((answer.text(), answer.is_whole), ("abcde", true));
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_body_that_only_closing_ends_goes_on_in_chunks() {
    let upstream = sends_and_closes("HTTP/1.1 200 OK\r\n\r\nall of it").await;
    let running = running(&upstream).await;
    let answer = running.client().await.get("/").await;
    assert_eq!((answer.text(), answer.is_whole), ("all of it", true));
    assert_eq!(answer.field("transfer-encoding"), Some("chunked"));
}

#[tokio::test]
async fn an_old_client_gets_a_body_that_closing_ends() {
    let upstream =
        sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").await;
    let running = running(&upstream).await;
    let answer = running
        .client()
        .await
        .ask("GET / HTTP/1.0\r\nHost: cart\r\n\r\n")
        .await;
    assert_eq!(
        (answer.text(), answer.field("connection")),
        ("abc", Some("close"))
    );
    assert!(
        upstream.requests()[0]
            .head
            .starts_with("GET / HTTP/1.1\r\n")
    );
}

#[tokio::test]
async fn a_short_body_never_looks_whole() {
    for short in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nXX\r\n",
    ] {
        let upstream = sends_and_closes(short).await;
        let running = running(&upstream).await;
        let answer = running.client().await.get("/").await;
        assert_eq!((answer.status, answer.is_whole), (200, false), "{short}");
        until(async || {
            running
                .metric("breakwater_attempts_total", &["truncated"])
                .await
                == 1.0
        })
        .await;
    }
}

#[tokio::test]
async fn a_short_body_to_an_old_client_ends_in_a_reset() {
    let upstream =
        sends_and_closes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n")
            .await;
    let running = running(&upstream).await;
    let mut client = running.client().await;
    client.send("GET / HTTP/1.0\r\nHost: cart\r\n\r\n").await;
    let error = soon(async {
        let mut all = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut client.stream, &mut all).await
    })
    .await;
    assert_eq!(
        error.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
}

#[tokio::test]
async fn an_upstream_that_breaks_the_protocol_is_a_502() {
    for broken in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 999 What\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "garbage\r\n\r\n",
    ] {
        let upstream = sends_and_closes(broken).await;
        let running = running(&upstream).await;
        let answer = running.client().await.get("/").await;
        assert_eq!(answer.status, 502, "{broken}");
        assert!(
            answer
                .field("proxy-status")
                .unwrap()
                .contains("upstream.protocol"),
            "{broken}"
        );
    }
}

#[tokio::test]
async fn surplus_bytes_cost_the_upstream_its_connection() {
    let upstream =
        sends("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n").await;
    let running = running(&upstream).await;
    let mut client = running.client().await;
    for _ in 0..2 {
        assert_eq!(client.get("/").await.text(), "hi");
    }
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn head_and_empty_answers_have_no_body() {
    let upstream = sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await;
    let running = running(&upstream).await;
    let mut client = running.client().await;
    client.send("HEAD / HTTP/1.1\r\nHost: cart\r\n\r\n").await;
    assert_eq!(
        client.head_answer().await.field("content-length"),
        Some("5")
    );
    client.send("HEAD / HTTP/1.1\r\nHost: cart\r\n\r\n").await;
    assert_eq!(client.head_answer().await.status, 200);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn interim_answers_pass_and_a_body_waits_for_its_100() {
    let upstream = Upstream::scripted(|mut connection| async move {
        connection.head().await;
        connection
            .send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
            .await;
        let body = connection.bytes(2).await.unwrap();
        connection
            .send(response(200, std::str::from_utf8(&body).unwrap()))
            .await;
        connection.end().await;
    })
    .await;
    let running = running(&upstream).await;
    let mut client = running.client().await;
    client
        .send("PUT / HTTP/1.1\r\nHost: cart\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 103);
    assert_eq!(client.answer().await.status, 100);
    client.send("hi").await;
    assert_eq!(client.answer().await.text(), "hi");
}

#[tokio::test]
async fn an_answer_before_the_body_is_read_ends_the_connection_after_it() {
    let upstream = Upstream::scripted(|mut connection| async move {
        connection.head().await;
        connection.send(response(413, "too much")).await;
        connection.end().await;
    })
    .await;
    let running = running(&upstream).await;
    let mut client = running.client().await;
    client
        .send("PUT / HTTP/1.1\r\nHost: cart\r\nContent-Length: 1000000\r\n\r\nsome")
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text()), (413, "too much"));
    assert_eq!(answer.field("connection"), Some("close"));
    assert!(client.end().await.is_empty());
}

#[tokio::test]
async fn a_refused_request_with_a_short_body_keeps_its_connection() {
    let running = Running::with(config(cluster(&[]))).await;
    let mut client = running.client().await;
    client
        .send("PUT / HTTP/1.1\r\nHost: cart\r\nContent-Length: 4\r\n\r\nab")
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.field("connection")), (503, None));
    client.send("cd").await;
    assert_eq!(client.get("/").await.status, 503);
}

#[tokio::test]
async fn a_malformed_chunk_leaves_the_upstream_request_visibly_incomplete() {
    let upstream = Upstream::scripted(|mut connection| async move {
        assert!(connection.request().await.is_none());
    })
    .await;
    let running = running(&upstream).await;
    let mut client = running.client().await;
    client
        .send("PUT / HTTP/1.1\r\nHost: cart\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX")
        .await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, answer.field("connection")),
        (400, Some("close"))
    );
    assert!(client.end().await.is_empty());
    assert_eq!(upstream.calls(), 0);
    assert_eq!(
        running
            .metric("breakwater_http1_refusals_total", &["chunk_data"])
            .await,
        1.0
    );
}

#[tokio::test]
async fn a_reader_that_stands_still_holds_its_upstream_back() {
    const ALL: usize = 64 << 20;
    let upstream = Upstream::scripted(|mut connection| async move {
        connection.request().await;
        connection
            .send(format!("HTTP/1.1 200 OK\r\nContent-Length: {ALL}\r\n\r\n"))
            .await;
        connection.send(vec![b'x'; ALL]).await;
        connection.end().await;
    })
    .await;
    let running = running(&upstream).await;
    let mut client = running.client().await;
    client.send("GET / HTTP/1.1\r\nHost: cart\r\n\r\n").await;
    until(async || upstream.calls() == 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(running.metric("breakwater_requests_total", &[]).await, 0.0);
    let answer = client.answer().await;
    assert!(answer.is_whole && answer.body.len() == ALL);
}
