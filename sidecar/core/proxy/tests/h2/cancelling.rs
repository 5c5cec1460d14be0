//! Either side leaves before the end.

use std::time::Duration;

use bytes::Bytes;

use crate::peers::caller::{grpc, whole};
use crate::peers::{Caller, Upstream};
use crate::support::build::{block, breaker, bulkhead, cluster, config};
use crate::support::{Running, soon, until};

/// An upstream that never answers, and notes how its calls end.
async fn silent() -> Upstream {
    Upstream::scripted(|mut call| async move { call.reset().await }).await
}

/// A worker with a place for one call, and its client.
async fn running(upstream: &Upstream) -> (Running, Caller) {
    let mut cluster = cluster(&[upstream.address]);
    cluster.bulkhead = block(bulkhead(1, 0, Duration::ZERO));
    cluster.service_breaker = block(breaker(1, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let caller = Caller::connect(running.outbound()).await;
    (running, caller)
}

async fn all_is_given_back(running: &Running) {
    until(async || {
        let stats = running.handle.stats().await.unwrap();
        let used = running
            .metric("breakwater_bulkhead_inflight", &["shop/cart"])
            .await;
        stats.in_flight == 0 && used == 0.0
    })
    .await;
    let attempts = running
        .metric("breakwater_attempts_total", &["cancelled"])
        .await;
    assert_eq!(attempts, 1.0);
    let states = running.handle.breakers().await.unwrap();
    assert_eq!(states[0].state, policy::breaker::State::Closed);
}

#[tokio::test]
async fn a_client_that_resets_its_call_has_it_reset_upstream() {
    let upstream = silent().await;
    let (running, caller) = running(&upstream).await;
    let (_response, mut stream) = caller.open(grpc()).await;
    until(async || upstream.calls() == 1).await;
    stream.send_reset(h2::Reason::CANCEL);
    until(async || !upstream.resets().is_empty()).await;
    assert_eq!(upstream.resets(), [h2::Reason::CANCEL]);
    all_is_given_back(&running).await;
}

#[tokio::test]
async fn a_client_whose_connection_breaks_has_its_calls_reset_upstream() {
    let upstream = silent().await;
    let (running, caller) = running(&upstream).await;
    let _call = caller.open(grpc()).await;
    until(async || upstream.calls() == 1).await;
    caller.connection.abort();
    until(async || !upstream.resets().is_empty()).await;
    assert_eq!(upstream.resets(), [h2::Reason::CANCEL]);
    all_is_given_back(&running).await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_an_answer_has_it_reset_upstream() {
    let upstream = Upstream::scripted(|mut call| async move {
        let mut stream = call.begin();
        stream.send_data(Bytes::from("part"), false).unwrap();
        let _ = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
    })
    .await;
    let (running, caller) = running(&upstream).await;
    let (response, stream) = caller.open(grpc()).await;
    let mut body = soon(response).await.unwrap().into_body();
    assert_eq!(soon(body.data()).await.unwrap().unwrap(), "part");
    drop((body, stream));
    until(async || running.handle.stats().await.unwrap().in_flight == 0).await;
    let requests = running
        .metric("breakwater_requests_total", &["client.cancelled"])
        .await;
    assert_eq!(requests, 1.0);
}

#[tokio::test]
async fn an_answer_that_breaks_off_never_looks_whole() {
    let upstream = Upstream::scripted(|mut call| async move {
        let mut stream = call.begin();
        stream.send_data(Bytes::from("part"), false).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.send_reset(h2::Reason::INTERNAL_ERROR);
    })
    .await;
    let (running, caller) = running(&upstream).await;
    let (response, _stream) = caller.open(grpc()).await;
    let error = soon(whole(response)).await.unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
    until(async || running.handle.stats().await.unwrap().in_flight == 0).await;
    assert_eq!(
        running
            .metric("breakwater_attempts_total", &["truncated"])
            .await,
        1.0
    );
    let states = running.handle.breakers().await.unwrap();
    assert_eq!(states[0].state, policy::breaker::State::Open);
}

#[tokio::test]
async fn an_answer_whose_connection_breaks_never_looks_whole() {
    let upstream = Upstream::connections(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (_, mut respond) = connection.accept().await.unwrap().unwrap();
        let mut stream = respond
            .send_response(http::Response::new(()), false)
            .unwrap();
        stream.send_data(Bytes::from("part"), false).unwrap();
        let driving = std::future::poll_fn(|cx| connection.poll_closed(cx));
        let _ = tokio::time::timeout(Duration::from_millis(50), driving).await;
    })
    .await;
    let (_running, caller) = running(&upstream).await;
    let request = http::Request::get("http://cart/").body(()).unwrap();
    let error = caller.call(request, "").await.unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
}

#[tokio::test]
async fn an_answer_shorter_than_it_said_never_looks_whole() {
    let upstream = Upstream::scripted(|mut call| async move {
        let response = http::Response::builder().header("content-length", "10");
        let response = response.body(()).unwrap();
        let mut stream = call.respond.send_response(response, false).unwrap();
        stream.send_data(Bytes::from("short"), true).unwrap();
    })
    .await;
    let (_running, caller) = running(&upstream).await;
    let request = http::Request::get("http://cart/").body(()).unwrap();
    assert!(caller.call(request, "").await.is_err());
}

#[tokio::test]
async fn a_request_that_is_shorter_than_it_said_never_looks_whole_upstream() {
    let upstream = silent().await;
    let (running, caller) = running(&upstream).await;
    let request = http::Request::post("http://cart/").header("content-length", "10");
    let (response, mut stream) = caller.open(request.body(()).unwrap()).await;
    until(async || upstream.calls() == 1).await;
    stream.send_data(Bytes::from("short"), true).unwrap();
    assert!(soon(response).await.is_err());
    until(async || upstream.resets() == [h2::Reason::CANCEL]).await;
    all_is_given_back(&running).await;
}
