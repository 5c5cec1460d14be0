//! What a gRPC status does, and how refusals look to gRPC.

use std::time::Duration;

use crate::peers::{Caller, Upstream};
use crate::support::Running;
use crate::support::build::{block, breaker, cluster, config, limit, rules};

async fn serve(cluster: proxy::config::Cluster) -> (Running, Caller) {
    let running = Running::with(config(cluster)).await;
    let caller = Caller::connect(running.outbound()).await;
    (running, caller)
}

#[tokio::test]
async fn failures_in_trailers_open_the_breaker() {
    let upstream = Upstream::answering("14", "part").await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.service_breaker = block(breaker(3, Duration::from_secs(60)));
    let (running, caller) = serve(cluster).await;
    for _ in 0..3 {
        let answer = caller.grpc().await;
        assert_eq!(
            (answer.grpc_status(), answer.field("proxy-status")),
            (Some("14"), None)
        );
    }
    let answer = caller.grpc().await;
    assert_eq!((answer.status, answer.grpc_status()), (200, Some("14")));
    assert_eq!(
        answer.field("proxy-status"),
        Some(
            "breakwater; error=destination_unavailable; details=\"breaker.open policy=shop/cart\""
        )
    );
    assert_eq!(upstream.calls(), 3);
    let counted = running
        .metric("breakwater_requests_total", &["UNAVAILABLE"])
        .await;
    assert_eq!(counted, 4.0);
}

#[tokio::test]
async fn statuses_that_are_no_failure_leave_the_breaker_closed() {
    let upstream = Upstream::answering("5", "").await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.service_breaker = block(breaker(1, Duration::from_secs(60)));
    let (_running, caller) = serve(cluster).await;
    for _ in 0..3 {
        assert_eq!(caller.grpc().await.grpc_status(), Some("5"));
    }
    assert_eq!(upstream.calls(), 3);
}

#[tokio::test]
async fn a_refusal_is_one_head_with_status_details_and_pushback() {
    let upstream = Upstream::answering("0", "").await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.limits = vec![rules(vec![limit("all", 1, Vec::new())])];
    let (_running, caller) = serve(cluster).await;
    let admitted = caller.grpc().await;
    assert_eq!(admitted.grpc_status(), Some("0"));
    assert_eq!(admitted.field("ratelimit"), Some("\"all\";r=0;t=3600"));
    let answer = caller.grpc().await;
    assert_eq!((answer.status, answer.grpc_status()), (200, Some("8")));
    assert!(answer.body.is_empty() && answer.trailers.is_none());
    assert_eq!(answer.field("content-type"), Some("application/grpc"));
    assert_eq!(answer.field("retry-after"), None);
    let pushback: u64 = answer
        .field("grpc-retry-pushback-ms")
        .unwrap()
        .parse()
        .unwrap();
    assert!((3_599_000..=3_960_000).contains(&pushback), "{pushback}");
    let message = answer.field("grpc-message").unwrap();
    assert!(
        message.starts_with("ratelimit.token policy=shop/cart-limits"),
        "{message}"
    );
    assert!(
        answer
            .field("grpc-status-details-bin")
            .is_some_and(|details| details.len() > 100)
    );
}

#[tokio::test]
async fn a_plain_request_is_refused_with_a_status_and_a_problem() {
    let upstream = Upstream::answering("0", "").await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.limits = vec![rules(vec![limit("all", 1, Vec::new())])];
    let (_running, caller) = serve(cluster).await;
    assert_eq!(caller.get("/").await.status, 200);
    let answer = caller.get("/").await;
    assert_eq!(answer.status, 429);
    assert!(answer.field("retry-after").is_some());
    let length = answer.body.len().to_string();
    assert_eq!(answer.field("content-length"), Some(length.as_str()));
}

#[tokio::test]
async fn only_a_sidecar_may_speak_as_one() {
    let upstream = Upstream::scripted(|mut call| async move {
        let mut response = http::Response::new(());
        *response.headers_mut() = crate::peers::fields(&[
            ("proxy-status", "breakwater; details=\"draining\""),
            ("breakwater-retry", "exhausted"),
        ]);
        let mut stream = call.respond.send_response(response, false).unwrap();
        let trailers = [
            ("grpc-status", "0"),
            ("breakwater-retry", "exhausted"),
            ("x-own", "1"),
        ];
        stream
            .send_trailers(crate::peers::fields(&trailers))
            .unwrap();
    })
    .await;
    let (_running, caller) = serve(cluster(&[upstream.address])).await;
    let answer = caller.grpc().await;
    assert_eq!(
        (
            answer.field("proxy-status"),
            answer.field("breakwater-retry")
        ),
        (None, None)
    );
    let trailers = answer.trailers.unwrap();
    assert!(!trailers.contains_key("breakwater-retry"));
    assert_eq!(trailers["x-own"], "1");
}
