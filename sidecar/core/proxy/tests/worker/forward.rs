//! Plain forwarding: what reaches the upstream, what comes back, and over which connections.

use crate::support::build::{cluster, config};
use crate::support::upstream::response;
use crate::support::{Running, Upstream};

#[tokio::test]
async fn a_request_reaches_the_service_it_names_and_its_answer_comes_back() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let answer = running.client().await.get("/items?id=7").await;
    assert_eq!((answer.status, answer.text()), (200, "hello"));
    let request = &upstream.requests()[0];
    assert!(
        request
            .head
            .starts_with("GET /items?id=7 HTTP/1.1\r\nHost: cart\r\n")
    );
    assert!(
        request
            .field("traceparent")
            .is_some_and(|parent| parent.len() == 55)
    );
    assert!(
        request
            .field("x-request-id")
            .is_some_and(|id| id.len() == 32)
    );
}

#[tokio::test]
async fn requests_of_one_connection_share_one_upstream_connection() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let mut client = running.client().await;
    for _ in 0..5 {
        assert_eq!(client.get("/").await.status, 200);
    }
    assert_eq!((upstream.calls(), upstream.connections()), (5, 1));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::answering(|request| {
        response(200, request.head.split(' ').nth(1).unwrap_or_default())
    })
    .await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let mut client = running.client().await;
    client
        .send("GET /1 HTTP/1.1\r\nHost: cart\r\n\r\nGET /2 HTTP/1.1\r\nHost: cart\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.text(), "/1");
    assert_eq!(client.answer().await.text(), "/2");
}

#[tokio::test]
async fn a_name_outside_the_mesh_is_refused() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let mut running = running;
    let mut client = running.client().await;
    client
        .send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        .await;
    let demand = crate::support::soon(running.demands.recv()).await;
    demand.map(|demand| demand.reply.send(proxy::Supply::Unknown));
    let answer = client.answer().await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.field("proxy-status"),
        Some("breakwater; error=destination_not_found; details=\"route.none\"")
    );
    assert_eq!(upstream.calls(), 0);
}
