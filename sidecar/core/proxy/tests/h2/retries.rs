//! Calls made again, counted at the upstream.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use policy::hedge::After;
use proxy::config::Hedge;
use tokio::sync::Semaphore;

use crate::peers::caller::{Answer, grpc};
use crate::peers::frames::{END_HEADERS, END_STREAM, GOAWAY, HEADERS, OK, Wire, frame};
use crate::peers::{Call, Caller, Upstream};
use crate::support::build::{
    SECOND_NS, block, breaker, budget, cluster, config, pool, question, retry, timeouts,
};
use crate::support::{Running, soon, until};

async fn retrying(upstream: &Upstream, retries: proxy::config::Retry) -> (Running, Caller) {
    let mut cluster = cluster(&[upstream.address]);
    cluster.retry = block(retries);
    cluster.idempotent_methods = vec!["shop.Cart/Get".into()];
    let running = Running::with(config(cluster)).await;
    let caller = Caller::connect(running.outbound()).await;
    (running, caller)
}

fn unavailable(call: &mut Call) {
    call.answer_bare(&[("content-type", "application/grpc"), ("grpc-status", "14")]);
}

#[tokio::test]
async fn a_status_that_came_with_the_head_is_tried_again() {
    let upstream = Upstream::scripted(|mut call| async move {
        call.read().await;
        match call.place < 2 {
            true => unavailable(&mut call),
            false => call.answer("0", "answer"),
        }
    })
    .await;
    let (_running, caller) = retrying(&upstream, retry(2, &["Unavailable"])).await;
    let answer = caller.grpc().await;
    assert_eq!(
        (answer.grpc_status(), answer.field("breakwater-attempts")),
        (Some("0"), Some("3"))
    );
    assert_eq!(upstream.bodies(), vec![b"question"; 3]);
    assert_eq!(upstream.connections_seen(), 1);
}

#[tokio::test]
async fn the_last_answer_goes_back_when_tries_run_out() {
    let upstream = Upstream::scripted(|mut call| async move { unavailable(&mut call) }).await;
    let (_running, caller) = retrying(&upstream, retry(1, &["Unavailable"])).await;
    let answer = caller.grpc().await;
    assert_eq!(
        (answer.grpc_status(), answer.field("breakwater-retry")),
        (Some("14"), Some("exhausted"))
    );
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn a_status_in_trailers_comes_too_late_to_be_tried_again() {
    let upstream = Upstream::answering("14", "").await;
    let (_running, caller) = retrying(&upstream, retry(2, &["Unavailable"])).await;
    assert_eq!(caller.grpc().await.grpc_status(), Some("14"));
    assert_eq!(upstream.calls(), 1);
}

fn post() -> Request<()> {
    Request::post("http://cart/").body(()).unwrap()
}

#[tokio::test]
async fn a_refused_stream_is_tried_again_whatever_the_method() {
    let upstream = Upstream::scripted(|mut call| async move {
        match call.place {
            0 => call.respond.send_reset(h2::Reason::REFUSED_STREAM),
            _ => {
                call.read().await;
                call.answer("0", "answer");
            }
        }
    })
    .await;
    let (running, caller) = retrying(&upstream, retry(1, &["RefusedStream"])).await;
    let answer = caller.call(post(), "body").await.unwrap();
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, b"answer".as_slice())
    );
    assert_eq!(
        (upstream.calls(), upstream.bodies()),
        (2, vec![b"body".to_vec()])
    );
    assert_eq!(
        running
            .metric("breakwater_attempts_total", &["refused"])
            .await,
        1.0
    );
}

#[tokio::test]
async fn any_other_reset_is_not_tried_again_for_a_post() {
    let upstream = Upstream::scripted(|mut call| async move {
        call.respond.send_reset(h2::Reason::INTERNAL_ERROR);
    })
    .await;
    let (_running, caller) = retrying(&upstream, retry(1, &["Reset"])).await;
    let answer = caller.call(post(), "body").await.unwrap();
    assert_eq!((answer.status, upstream.calls()), (502, 1));
    let answer = caller.get("/").await;
    assert_eq!((answer.status, upstream.calls()), (502, 3));
    assert_eq!(
        answer
            .field("proxy-status")
            .map(|field| field.contains("retry.exhausted")),
        Some(true)
    );
}

/// Takes one call of its first connection, and goes away below the second.
async fn departing(stream: tokio::net::TcpStream, is_first: bool) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let (head, _body) = request.into_parts();
        if is_first && head.uri.path() == "/second" {
            // The library takes no more streams than it has told, so this one is above the last.
            drop(respond);
            return;
        }
        respond
            .send_response(http::Response::new(()), true)
            .unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_is_gone_is_noticed_before_the_next_call() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let upstream = Upstream::connections(move |stream| {
        departing(stream, counted.fetch_add(1, Ordering::SeqCst) == 0)
    })
    .await;
    let (_running, caller) = retrying(&upstream, retry(0, &[])).await;
    assert_eq!(caller.get("/first").await.status, 200);
    // A safe call on a connection that breaks under it is silently made again.
    assert_eq!(caller.get("/second").await.status, 200);
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

/// Answers the first call of its first connection, and goes away above the second; answers every other one.
async fn going_away(stream: tokio::net::TcpStream, is_first: bool) {
    let mut wire = Wire::accept(stream).await;
    let mut last = 0_u32;
    while let Some(head) = wire.next_of(HEADERS).await {
        if is_first && last > 0 {
            let goodbye = [last.to_be_bytes(), [0; 4]].concat();
            wire.send(&frame(GOAWAY, 0, 0, &goodbye)).await;
            continue;
        }
        last = head.stream;
        let flags = END_STREAM | END_HEADERS;
        wire.send(&frame(HEADERS, flags, last, OK)).await;
    }
}

#[tokio::test]
async fn a_call_above_the_last_of_a_connection_that_goes_away_is_silently_made_again_if_safe() {
    for (method, status) in [("GET", 200), ("DELETE", 502)] {
        let seen = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&seen);
        let upstream = Upstream::connections(move |stream| {
            going_away(stream, counted.fetch_add(1, Ordering::SeqCst) == 0)
        })
        .await;
        let running = Running::with(config(cluster(&[upstream.address]))).await;
        let caller = Caller::connect(running.outbound()).await;
        assert_eq!(caller.get("/").await.status, 200);
        let request = Request::builder().method(method).uri("http://cart/");
        let answer = caller.call(request.body(()).unwrap(), "").await.unwrap();
        assert_eq!(
            (answer.status, answer.field("breakwater-attempts")),
            (status, None)
        );
        let connections = if status == 200 { 2 } else { 1 };
        assert_eq!(seen.load(Ordering::SeqCst), connections);
    }
}

#[tokio::test]
async fn a_body_of_replay_bytes_is_sent_again_and_a_longer_one_is_not() {
    let upstream = Upstream::scripted(|mut call| async move {
        call.read().await;
        let response = http::Response::builder().status(503).body(()).unwrap();
        call.respond.send_response(response, true).unwrap();
    })
    .await;
    let (_running, caller) = retrying(&upstream, retry(1, &["503"])).await;
    for (length, calls) in [(65_536, 2), (65_537, 3)] {
        let request = Request::put("http://cart/").body(()).unwrap();
        let answer = caller.call(request, vec![7; length]).await.unwrap();
        assert_eq!((answer.status, upstream.calls()), (503, calls));
        assert!(
            upstream
                .bodies()
                .iter()
                .skip(calls - 1)
                .all(|body| body.len() == length)
        );
    }
}

#[tokio::test]
async fn what_came_while_an_attempt_failed_is_sent_again_before_what_comes_next() {
    let upstream = Upstream::scripted(|mut call| async move {
        if call.place == 0 {
            call.body.data().await.unwrap().unwrap();
            return unavailable(&mut call);
        }
        call.read().await;
        call.answer("0", "");
    })
    .await;
    let (_running, caller) = retrying(&upstream, retry(1, &["Unavailable"])).await;
    let (response, mut stream) = caller.open(grpc()).await;
    stream.send_data(Bytes::from("one "), false).unwrap();
    until(async || upstream.calls() == 2).await;
    stream.send_data(Bytes::from("two"), true).unwrap();
    assert_eq!(soon(response).await.unwrap().status(), 200);
    assert_eq!(upstream.bodies(), [b"one two"]);
}

/// Retries that find nothing to be tried again for free, so that what was paid shows.
fn paid() -> proxy::config::Retry {
    proxy::config::Retry {
        budget: budget(100),
        ..retry(1, &["503", "Unavailable"])
    }
}

/// What is left of the budget of retries.
async fn left(running: &Running) -> f64 {
    let family = "breakwater_retry_budget_balance";
    running.metric(family, &["shop/cart"]).await
}

/// Calls by gRPC, or else by plain HTTP/2.
async fn call(caller: &Caller, is_grpc: bool) -> Answer {
    match is_grpc {
        true => caller.grpc().await,
        false => caller.get("/").await,
    }
}

/// Fails: a gRPC call by its status, any other one by 503 and a body.
fn fail(call: &mut Call) {
    if call.head.headers.contains_key("content-type") {
        return unavailable(call);
    }
    let response = http::Response::builder().status(503).body(()).unwrap();
    let mut body = call.respond.send_response(response, false).unwrap();
    body.send_data(Bytes::from("not yet"), true).unwrap();
}

/// Whether it is the failure that the upstream answered with, and the answer of the only attempt.
fn is_first_answer(answer: &Answer, is_grpc: bool) -> bool {
    let is_failure = match is_grpc {
        true => answer.grpc_status() == Some("14"),
        false => (answer.status, answer.body.as_slice()) == (503, b"not yet"),
    };
    let names = ["breakwater-attempts", "breakwater-retry", "proxy-status"];
    is_failure && names.iter().all(|name| answer.field(name).is_none())
}

/// Holds the first call on to the only connection there may be, which takes one more and no third.
async fn occupied(hedges: bool) -> (Upstream, Running, Caller) {
    let upstream = Upstream::scripted(|mut call| async move {
        match call.place {
            0 => call.reset().await,
            _ => fail(&mut call),
        }
    })
    .await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.retry = block(paid());
    cluster.idempotent_methods = vec!["shop.Cart/Get".into()];
    let hedge = Hedge {
        after: After::Fixed(60 * SECOND_NS),
        budget: budget(100),
    };
    cluster.hedge = block(hedge).filter(|_| hedges);
    cluster.pool = block(proxy::config::Pool {
        max_requests: Some(2),
        ..pool(1)
    });
    cluster.timeouts = block(proxy::config::Timeouts {
        connect: Duration::from_millis(200),
        ..timeouts()
    });
    let running = Running::with(config(cluster)).await;
    let caller = Caller::connect(running.outbound()).await;
    (upstream, running, caller)
}

#[tokio::test]
async fn an_answer_whose_retry_gets_no_connection_goes_back_and_the_retry_costs_nothing() {
    for (is_grpc, hedges) in [(true, false), (false, false), (false, true)] {
        let (upstream, running, caller) = occupied(hedges).await;
        let held = caller.open(grpc()).await;
        until(async || upstream.calls() == 1).await;
        let answer = call(&caller, is_grpc).await;
        assert!(is_first_answer(&answer, is_grpc), "{answer:?}");
        assert_eq!((upstream.calls(), left(&running).await), (2, 2.0));
        drop(held);
        until(async || running.handle.endpoints().await.unwrap()[0].in_flight == 0).await;
    }
}

/// A cluster at whose upstream calls fail, once each is let to.
async fn failing(gate: &Arc<Semaphore>) -> (Upstream, proxy::config::Cluster) {
    let gate = Arc::clone(gate);
    let upstream = Upstream::scripted(move |mut call| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await.unwrap().forget();
            fail(&mut call);
        }
    })
    .await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.retry = block(paid());
    cluster.idempotent_methods = vec!["shop.Cart/Get".into()];
    (upstream, cluster)
}

#[tokio::test]
async fn an_answer_whose_retry_the_breaker_refuses_goes_back_and_the_retry_costs_nothing() {
    for is_grpc in [true, false] {
        let (upstream, mut cluster) = failing(&Arc::new(Semaphore::new(1))).await;
        cluster.service_breaker = block(breaker(1, Duration::from_secs(60)));
        let running = Running::with(config(cluster)).await;
        let caller = Caller::connect(running.outbound()).await;
        let answer = call(&caller, is_grpc).await;
        assert!(is_first_answer(&answer, is_grpc), "{answer:?}");
        assert_eq!((upstream.calls(), left(&running).await), (1, 1.0));
    }
}

#[tokio::test]
async fn an_answer_whose_retry_finds_no_endpoint_goes_back_and_the_retry_costs_nothing() {
    for is_grpc in [true, false] {
        let gate = Arc::new(Semaphore::new(0));
        let (upstream, mut cluster) = failing(&gate).await;
        let running = Running::with(config(cluster.clone())).await;
        let caller = Caller::connect(running.outbound()).await;
        let calling = tokio::spawn(async move { call(&caller, is_grpc).await });
        until(async || upstream.calls() == 1).await;
        cluster.endpoints.clear();
        running.handle.apply(config(cluster)).await.unwrap();
        gate.add_permits(1);
        let answer = soon(calling).await.unwrap();
        assert!(is_first_answer(&answer, is_grpc), "{answer:?}");
        assert_eq!((upstream.calls(), left(&running).await), (1, 1.0));
    }
}

#[tokio::test]
async fn a_retry_within_a_full_cap_uses_the_place_it_has() {
    for is_grpc in [true, false] {
        let failed = Arc::new(AtomicUsize::new(0));
        let first = |failed: Arc<AtomicUsize>| {
            Upstream::scripted(move |mut call| {
                let is_first = failed.fetch_add(1, Ordering::SeqCst) == 0;
                async move {
                    match is_first {
                        true => fail(&mut call),
                        false => call.answer("0", "answer"),
                    }
                }
            })
        };
        let (one, other) = (
            first(Arc::clone(&failed)).await,
            first(Arc::clone(&failed)).await,
        );
        let mut cluster = cluster(&[one.address, other.address]);
        cluster.pool = block(pool(1));
        cluster.retry = block(paid());
        cluster.idempotent_methods = vec!["shop.Cart/Get".into()];
        let running = Running::with(config(cluster)).await;
        let caller = Caller::connect(running.outbound()).await;
        let answer = call(&caller, is_grpc).await;
        assert_eq!(answer.field("breakwater-attempts"), Some("2"));
        assert_eq!((one.calls(), other.calls()), (1, 1));
        assert_eq!(left(&running).await, 0.0);
    }
}

/// Takes a stream at a time, and fails the first one for `/a` when it is let to: resets it, or closes the connection.
async fn faltering(
    stream: tokio::net::TcpStream,
    breaks: bool,
    (gate, seen): (Arc<Semaphore>, Arc<Mutex<Vec<String>>>),
) {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(1);
    let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let path = request.uri().path().to_owned();
        let is_first = !seen.lock().unwrap().contains(&path);
        seen.lock().unwrap().push(path.clone());
        if path == "/a" && is_first {
            gate.acquire().await.unwrap().forget();
            match breaks {
                true => return,
                false => respond.send_reset(h2::Reason::INTERNAL_ERROR),
            }
            continue;
        }
        let response = http::Response::new(());
        respond.send_response(response, true).unwrap();
    }
}

#[tokio::test]
async fn a_call_that_is_made_again_keeps_its_place_before_those_that_wait() {
    for breaks in [true, false] {
        let (gate, seen) = (Arc::new(Semaphore::new(0)), Arc::<Mutex<Vec<_>>>::default());
        let shared = (Arc::clone(&gate), Arc::clone(&seen));
        let upstream =
            Upstream::connections(move |stream| faltering(stream, breaks, shared.clone())).await;
        let mut cluster = cluster(&[upstream.address]);
        cluster.pool = block(pool(1));
        cluster.timeouts = block(proxy::config::Timeouts {
            connect: Duration::from_secs(60),
            ..timeouts()
        });
        // What breaks on a connection that was used before is sent again for free, too. A new connection takes streams
        // before it has told how many, and refuses them.
        cluster.retry = block(retry(1, &["Reset", "RefusedStream"]));
        let running = Running::with(config(cluster)).await;
        let caller = Arc::new(Caller::connect(running.outbound()).await);
        assert_eq!(caller.get("/").await.status, 200);
        let get = |path: &'static str| {
            let caller = Arc::clone(&caller);
            tokio::spawn(async move { caller.get(path).await.status })
        };
        let first = get("/a");
        until(async || seen.lock().unwrap().len() == 2).await;
        let second = get("/b");
        until(async || {
            let told = running.handle.explain(question()).await.unwrap();
            let line = |step: &proxy::report::Step| step.text.contains("1 waiting");
            told.steps.iter().any(line)
        })
        .await;
        gate.add_permits(1);
        let statuses = (soon(first).await.unwrap(), soon(second).await.unwrap());
        assert_eq!(statuses, (200, 200));
        assert_eq!(*seen.lock().unwrap(), ["/", "/a", "/a", "/b"]);
    }
}
