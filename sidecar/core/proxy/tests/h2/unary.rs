//! One call, one answer.

use http::Request;

use crate::peers::{Caller, Upstream};
use crate::support::build::{cluster, config};
use crate::support::{self, Running};

async fn running(upstream: &Upstream) -> (Running, Caller) {
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let caller = Caller::connect(running.outbound()).await;
    (running, caller)
}

#[tokio::test]
async fn a_call_goes_through_with_its_trailers() {
    let upstream = Upstream::answering("0", "answer").await;
    let (running, caller) = running(&upstream).await;
    let answer = caller.grpc().await;
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, b"answer".as_slice())
    );
    assert_eq!(answer.grpc_status(), Some("0"));
    assert_eq!(upstream.bodies(), [b"question"]);
    let head = &upstream.heads()[0];
    assert_eq!(head.uri.to_string(), "http://cart/shop.Cart/Get");
    assert_eq!(head.headers["te"], "trailers");
    assert_eq!(
        running
            .metric("breakwater_requests_total", &["POST", "OK"])
            .await,
        1.0
    );
    assert_eq!(running.handle.stats().await.unwrap().in_flight, 0);
}

#[tokio::test]
async fn calls_of_all_clients_share_one_connection() {
    let upstream = Upstream::answering("0", "answer").await;
    let (running, first) = running(&upstream).await;
    let second = Caller::connect(running.outbound()).await;
    for _ in 0..10 {
        let (one, other) = tokio::join!(first.grpc(), second.grpc());
        assert_eq!(
            (one.grpc_status(), other.grpc_status()),
            (Some("0"), Some("0"))
        );
    }
    assert_eq!((upstream.calls(), upstream.connections_seen()), (20, 1));
}

#[tokio::test]
async fn an_answer_without_a_body_is_passed_on_as_such() {
    let upstream = Upstream::scripted(|mut call| async move {
        call.answer_bare(&[("content-type", "application/grpc"), ("grpc-status", "5")]);
    })
    .await;
    let (running, caller) = running(&upstream).await;
    let answer = caller.grpc().await;
    assert_eq!(
        (answer.field("grpc-status"), &answer.trailers),
        (Some("5"), &None)
    );
    assert_eq!(
        running
            .metric("breakwater_requests_total", &["NOT_FOUND"])
            .await,
        1.0
    );
}

#[tokio::test]
async fn a_plain_request_goes_through_too() {
    let upstream = Upstream::answering("0", "page").await;
    let (_running, caller) = running(&upstream).await;
    let answer = caller.get("/page?a=b").await;
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, b"page".as_slice())
    );
    assert_eq!(upstream.heads()[0].uri.to_string(), "http://cart/page?a=b");
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_refused_with_a_problem() {
    let upstream = Upstream::answering("0", "").await;
    let (_running, caller) = running(&upstream).await;
    let request = Request::get("http://cart:81/").body(()).unwrap();
    let answer = caller.call(request, "").await.unwrap();
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.field("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(
        answer.field("proxy-status"),
        Some("breakwater; error=destination_not_found; details=\"route.none\"")
    );
    assert!(
        String::from_utf8(answer.body)
            .unwrap()
            .contains("\"reason\":\"route.none\"")
    );
}

#[tokio::test]
async fn an_upstream_that_speaks_another_protocol_is_told_from_one_that_is_away() {
    let upstream = support::Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let answer = Caller::connect(running.outbound()).await.grpc().await;
    assert_eq!(answer.grpc_status(), Some("13"));
    assert_eq!(
        answer.field("proxy-status"),
        Some("breakwater; error=http_protocol_error; details=\"upstream.protocol\"")
    );
}

#[tokio::test]
async fn the_first_bytes_tell_the_protocol_however_they_are_cut() {
    let upstream = support::Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let mut client = support::Client::connect(running.outbound()).await;
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" {
        client.send([*byte]).await;
        client.stream.set_nodelay(true).unwrap();
        tokio::task::yield_now().await;
    }
    client.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    let settings = client.bytes(9).await;
    assert_eq!(settings[3], 4, "the answer begins with SETTINGS");
    let mut client = running.client().await;
    assert_eq!(client.get("/").await.status, 200);
}
