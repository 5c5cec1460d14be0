//! Time that is over, and how it is told.

use std::time::{Duration, Instant};

use bytes::Bytes;
use policy::deadline::parse_grpc_timeout;

use crate::peers::caller::{grpc, whole};
use crate::peers::{Caller, Upstream};
use crate::support::build::{block, cluster, config, timeouts};
use crate::support::{Running, soon, until};

async fn bounded(upstream: &Upstream, bounds: proxy::config::Timeouts) -> (Running, Caller) {
    let mut cluster = cluster(&[upstream.address]);
    cluster.timeouts = block(bounds);
    let running = Running::with(config(cluster)).await;
    let caller = Caller::connect(running.outbound()).await;
    (running, caller)
}

async fn silent() -> Upstream {
    Upstream::scripted(|mut call| async move { call.reset().await }).await
}

fn timed(timeout: &str) -> http::Request<()> {
    let mut request = grpc();
    request
        .headers_mut()
        .insert("grpc-timeout", timeout.parse().unwrap());
    request
}

#[tokio::test]
async fn a_deadline_is_kept_by_the_sidecar_and_handed_on() {
    let upstream = silent().await;
    let (_running, caller) = bounded(&upstream, timeouts()).await;
    let began = Instant::now();
    let answer = caller.call(timed("500m"), "question").await.unwrap();
    assert!(began.elapsed().as_millis() >= 500);
    assert_eq!((answer.status, answer.grpc_status()), (200, Some("4")));
    assert!(
        answer
            .field("proxy-status")
            .unwrap()
            .contains("timeout.request")
    );
    until(async || upstream.resets() == [h2::Reason::CANCEL]).await;
    let head = &upstream.heads()[0];
    let handed_on = parse_grpc_timeout(head.headers["grpc-timeout"].as_bytes()).unwrap();
    assert!(handed_on <= 498_000_000, "{handed_on}");
    let left: u64 = head.headers["breakwater-deadline-ms"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=498).contains(&left), "{left}");
}

#[tokio::test]
async fn a_call_that_arrives_with_no_time_left_is_refused_before_any_work() {
    let upstream = silent().await;
    let (_running, caller) = bounded(&upstream, timeouts()).await;
    let answer = caller.call(timed("0m"), "question").await.unwrap();
    assert_eq!(answer.grpc_status(), Some("4"));
    assert!(
        answer
            .field("proxy-status")
            .unwrap()
            .contains("deadline.exhausted")
    );
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn an_attempt_without_an_answer_in_time_names_the_policy() {
    let upstream = silent().await;
    let per_try = Some(Duration::from_millis(300));
    let bounds = proxy::config::Timeouts {
        per_try,
        ..timeouts()
    };
    let (_running, caller) = bounded(&upstream, bounds).await;
    let answer = caller.grpc().await;
    assert_eq!(answer.grpc_status(), Some("4"));
    assert!(
        answer
            .field("proxy-status")
            .unwrap()
            .contains("timeout.per_try policy=shop/cart")
    );
    until(async || upstream.resets() == [h2::Reason::CANCEL]).await;
}

/// An upstream that begins an answer and never ends it.
async fn unending() -> Upstream {
    Upstream::scripted(|mut call| async move {
        let mut stream = call.begin();
        stream.send_data(Bytes::from("part"), false).unwrap();
        let _ = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
    })
    .await
}

#[tokio::test]
async fn a_stream_that_stands_still_ends_with_a_status() {
    let upstream = unending().await;
    let stream_idle = Some(Duration::from_millis(300));
    let bounds = proxy::config::Timeouts {
        stream_idle,
        ..timeouts()
    };
    let (running, caller) = bounded(&upstream, bounds).await;
    let answer = caller.grpc().await;
    assert_eq!(
        (answer.body.as_slice(), answer.grpc_status()),
        (b"part".as_slice(), Some("4"))
    );
    let trailers = answer.trailers.unwrap();
    assert!(
        trailers["proxy-status"]
            .to_str()
            .unwrap()
            .contains("timeout.idle")
    );
    assert!(!trailers.contains_key("content-type"));
    until(async || {
        running
            .metric("breakwater_requests_total", &["timeout.idle"])
            .await
            == 1.0
    })
    .await;
}

#[tokio::test]
async fn an_answer_cut_by_its_deadline_never_looks_whole() {
    let upstream = unending().await;
    let request = Some(Duration::from_millis(100));
    let bounds = proxy::config::Timeouts {
        request,
        ..timeouts()
    };
    let (_running, caller) = bounded(&upstream, bounds).await;
    let plain = http::Request::get("http://cart/").body(()).unwrap();
    assert!(caller.call(plain, "").await.is_err());
    let answer = caller.call(timed("10S"), "question").await.unwrap();
    assert_eq!(answer.grpc_status(), Some("4"));
}

#[tokio::test]
async fn a_call_without_a_deadline_may_stream_beyond_the_policys() {
    let upstream = Upstream::scripted(|mut call| async move {
        let mut stream = call.begin();
        tokio::time::sleep(Duration::from_millis(500)).await;
        stream.send_data(Bytes::from("late"), true).unwrap();
    })
    .await;
    let request = Some(Duration::from_millis(300));
    let bounds = proxy::config::Timeouts {
        request,
        ..timeouts()
    };
    let (_running, caller) = bounded(&upstream, bounds).await;
    assert_eq!(caller.grpc().await.body, b"late");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_reset_when_its_stream_is_out_of_time() {
    let plain = http::Request::get("http://cart/").body(()).unwrap();
    for request in [grpc(), timed("1H"), plain] {
        let upstream = Upstream::scripted(|mut call| async move {
            let mut stream = call.begin();
            let chunk = Bytes::from(vec![0; 1_000_000]);
            let _ = crate::peers::write(&mut stream, chunk).await;
        })
        .await;
        let stream_idle = Some(Duration::from_millis(100));
        let bounds = proxy::config::Timeouts {
            stream_idle,
            ..timeouts()
        };
        let (running, caller) = bounded(&upstream, bounds).await;
        let (response, _stream) = caller.open(request).await;
        let cut = &["timeout.idle"];
        until(async || running.metric("breakwater_requests_total", cut).await == 1.0).await;
        assert!(soon(whole(response)).await.unwrap_err().is_reset());
    }
}
