//! Connections to upstreams and from clients: shared, bounded, renewed, and left in peace.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use proxy::Phase;
use proxy::report::Direction;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::peers::caller::{grpc, whole};
use crate::peers::frames::{END_HEADERS, END_STREAM, GOAWAY, HEADERS, OK, Wire, frame};
use crate::peers::{Caller, Upstream};
use crate::support::build::{block, cart, cluster, config, pool, retry, timeouts};
use crate::support::worker::{beside, settings, upstream_listener};
use crate::support::{Running, soon, until};

/// An upstream that answers when it is told to.
async fn held(builder: h2::server::Builder, gate: &Arc<Semaphore>) -> Upstream {
    let gate = Arc::clone(gate);
    Upstream::with(builder, move |mut call| {
        let gate = Arc::clone(&gate);
        async move {
            call.read().await;
            gate.acquire().await.unwrap().forget();
            call.answer("0", "answer");
        }
    })
    .await
}

async fn serve(cluster: proxy::config::Cluster) -> (Running, Caller) {
    let running = Running::with(config(cluster)).await;
    let caller = Caller::connect(running.outbound()).await;
    (running, caller)
}

/// Once the client was told to begin nothing more.
async fn sent_away(caller: &Caller) {
    until(async || {
        let mut send = caller.send.clone();
        std::future::poll_fn(|cx| send.poll_ready(cx))
            .await
            .is_err()
    })
    .await;
}

/// Begins so many calls at once.
async fn begin(caller: &Caller, calls: usize) -> Vec<tokio::task::JoinHandle<Option<String>>> {
    let mut begun = Vec::new();
    for _ in 0..calls {
        let (response, mut stream) = caller.open(grpc()).await;
        stream.send_data(Bytes::from("question"), true).unwrap();
        begun.push(tokio::spawn(async move {
            let answer = whole(response).await.ok()?;
            answer.grpc_status().map(str::to_owned)
        }));
    }
    begun
}

async fn all_succeed(calls: Vec<tokio::task::JoinHandle<Option<String>>>) {
    for call in calls {
        assert_eq!(soon(call).await.unwrap().as_deref(), Some("0"));
    }
}

#[tokio::test]
async fn a_hundred_calls_at_once_share_one_connection() {
    let gate = Arc::new(Semaphore::new(0));
    let upstream = held(h2::server::Builder::new(), &gate).await;
    let (_running, caller) = serve(cluster(&[upstream.address])).await;
    let calls = begin(&caller, 100).await;
    until(async || upstream.calls() == 100).await;
    assert_eq!(upstream.connections_seen(), 1);
    gate.add_permits(100);
    all_succeed(calls).await;
}

fn two_streams() -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(2);
    builder
}

#[tokio::test]
async fn a_full_connection_is_joined_by_another() {
    let gate = Arc::new(Semaphore::new(1));
    let upstream = held(two_streams(), &gate).await;
    let (_running, caller) = serve(cluster(&[upstream.address])).await;
    assert_eq!(caller.grpc().await.grpc_status(), Some("0"));
    let calls = begin(&caller, 2).await;
    until(async || upstream.calls() == 3).await;
    let more = begin(&caller, 1).await;
    until(async || upstream.calls() == 4).await;
    assert_eq!(upstream.connections_seen(), 2);
    gate.add_permits(3);
    all_succeed(calls).await;
    all_succeed(more).await;
}

#[tokio::test]
async fn capped_connections_are_waited_for_and_then_refused() {
    let gate = Arc::new(Semaphore::new(1));
    let upstream = held(two_streams(), &gate).await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.pool = block(pool(1));
    let connect = Duration::from_millis(300);
    cluster.timeouts = block(proxy::config::Timeouts {
        connect,
        ..timeouts()
    });
    let (_running, caller) = serve(cluster).await;
    assert_eq!(caller.grpc().await.grpc_status(), Some("0"));
    let calls = begin(&caller, 3).await;
    until(async || upstream.calls() == 3).await;
    let answer = caller.grpc().await;
    assert_eq!(answer.grpc_status(), Some("14"));
    assert!(
        answer
            .field("proxy-status")
            .unwrap()
            .contains("bulkhead.connections")
    );
    drop(calls);

    // Room on the connection in use is as good as a connection.
    let calls = begin(&caller, 3).await;
    gate.add_permits(6);
    all_succeed(calls).await;
    assert_eq!(upstream.connections_seen(), 1);
}

#[tokio::test]
async fn a_connection_that_rests_makes_room_for_one_to_another_endpoint() {
    let gate = Arc::new(Semaphore::new(1_000));
    let one = held(h2::server::Builder::new(), &gate).await;
    let other = held(h2::server::Builder::new(), &gate).await;
    let mut cluster = cluster(&[one.address, other.address]);
    cluster.pool = block(pool(1));
    let (running, caller) = serve(cluster).await;
    for _ in 0..30 {
        assert_eq!(caller.grpc().await.grpc_status(), Some("0"));
        let idle = running
            .metric("breakwater_connections", &["upstream_idle"])
            .await;
        assert!(idle <= 1.0, "{idle}");
    }
    assert!(one.calls() > 0 && other.calls() > 0);
}

#[tokio::test]
async fn a_connection_ends_after_its_requests_its_age_or_its_rest() {
    let gate = Arc::new(Semaphore::new(1_000));
    let upstream = held(h2::server::Builder::new(), &gate).await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.pool = block(proxy::config::Pool {
        max_requests: Some(3),
        ..pool(10)
    });
    let idle = Duration::from_millis(500);
    cluster.timeouts = block(proxy::config::Timeouts { idle, ..timeouts() });
    let (running, caller) = serve(cluster).await;
    for _ in 0..7 {
        assert_eq!(caller.grpc().await.grpc_status(), Some("0"));
    }
    assert_eq!(upstream.connections_seen(), 3);
    until(async || {
        running
            .metric("breakwater_connections", &["upstream_idle"])
            .await
            == 0.0
    })
    .await;
    assert_eq!(caller.grpc().await.grpc_status(), Some("0"));
    assert_eq!(upstream.connections_seen(), 4);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_keeps_its_calls_until_they_end() {
    let gate = Arc::new(Semaphore::new(0));
    let upstream = held(h2::server::Builder::new(), &gate).await;
    let (running, caller) = serve(cluster(&[upstream.address])).await;
    let calls = begin(&caller, 2).await;
    until(async || upstream.calls() == 2).await;
    running.handle.apply(config(cluster(&[]))).await.unwrap();
    gate.add_permits(2);
    all_succeed(calls).await;
    assert!(
        caller
            .grpc()
            .await
            .field("proxy-status")
            .unwrap()
            .contains("upstream.no_endpoints")
    );
}

/// Answers the first stream of its first connection, and leaves when the second comes.
async fn departing(stream: TcpStream, is_first: bool) {
    let mut wire = Wire::accept(stream).await;
    while let Some(head) = wire.next_of(HEADERS).await {
        if is_first && head.stream > 1 {
            wire.send(&frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]))
                .await;
        } else {
            wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, head.stream, OK))
                .await;
        }
    }
}

static DEPARTED: LazyLock<AtomicUsize> = LazyLock::new(AtomicUsize::default);

#[tokio::test]
async fn a_stream_above_the_last_one_taken_is_tried_again_whatever_the_method() {
    let upstream = Upstream::connections(|stream| {
        departing(stream, DEPARTED.fetch_add(1, Ordering::SeqCst) == 0)
    })
    .await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.retry = block(retry(1, &["RefusedStream"]));
    let (running, caller) = serve(cluster).await;
    for _ in 0..3 {
        let request = http::Request::post("http://cart/").body(()).unwrap();
        assert_eq!(caller.call(request, "body").await.unwrap().status, 200);
    }
    assert_eq!(upstream.connections_seen(), 2);
    assert_eq!(
        running
            .metric("breakwater_attempts_total", &["refused"])
            .await,
        1.0
    );
}

/// Takes calls and says nothing, on its first connection not even to a PING.
async fn dumb(stream: TcpStream, is_first: bool) {
    let mut wire = Wire::accept(stream).await;
    while let Some(head) = wire.next_of(HEADERS).await {
        if !is_first {
            wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, head.stream, OK))
                .await;
        }
    }
}

static DUMBFOUNDED: LazyLock<AtomicUsize> = LazyLock::new(AtomicUsize::default);

#[tokio::test]
async fn a_connection_that_lost_its_other_end_swallows_no_more_calls() {
    let upstream = Upstream::connections(|stream| {
        dumb(stream, DUMBFOUNDED.fetch_add(1, Ordering::SeqCst) == 0)
    })
    .await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.timeouts = block(proxy::config::Timeouts {
        connect: Duration::from_millis(500),
        per_try: Some(Duration::from_millis(200)),
        ..timeouts()
    });
    let (_running, caller) = serve(cluster).await;
    assert_eq!(caller.get("/").await.status, 504);
    until(async || caller.get("/").await.status == 200).await;
    assert_eq!(upstream.connections_seen(), 2);
}

/// Answers a PING and nothing else.
async fn slow(mut call: crate::peers::Call) {
    call.reset().await;
}

#[tokio::test]
async fn a_connection_whose_other_end_is_slow_is_kept() {
    let upstream = Upstream::scripted(slow).await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.timeouts = block(proxy::config::Timeouts {
        connect: Duration::from_millis(300),
        per_try: Some(Duration::from_millis(100)),
        ..timeouts()
    });
    let (_running, caller) = serve(cluster).await;
    for _ in 0..5 {
        assert_eq!(caller.get("/").await.status, 504);
    }
    assert_eq!(upstream.connections_seen(), 1);
}

#[tokio::test]
async fn nobody_who_listens_is_a_failure_to_connect() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (running, caller) = serve(cluster(&[nobody])).await;
    let answer = caller.grpc().await;
    assert_eq!(answer.grpc_status(), Some("14"));
    assert!(
        answer
            .field("proxy-status")
            .unwrap()
            .contains("upstream.connect")
    );
    assert_eq!(
        running
            .metric("breakwater_attempts_total", &["connect"])
            .await,
        1.0
    );
}

#[tokio::test]
async fn draining_finishes_what_is_in_flight_and_takes_no_more() {
    let gate = Arc::new(Semaphore::new(0));
    let upstream = held(h2::server::Builder::new(), &gate).await;
    let (running, caller) = serve(cluster(&[upstream.address])).await;
    let calls = begin(&caller, 3).await;
    until(async || upstream.calls() == 3).await;
    let handle = running.handle.clone();
    let draining = tokio::spawn(async move { handle.drain(Duration::from_secs(10)).await });
    // The client is told, and begins no more.
    sent_away(&caller).await;
    gate.add_permits(3);
    all_succeed(calls).await;
    assert!(soon(caller.connection).await.unwrap().is_ok());
    soon(draining).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_is_to_leave_ends_what_it_began_and_may_come_back() {
    let gate = Arc::new(Semaphore::new(0));
    let upstream = held(h2::server::Builder::new(), &gate).await;
    let (running, caller) = serve(cluster(&[upstream.address])).await;
    let calls = begin(&caller, 2).await;
    until(async || upstream.calls() == 2).await;
    let leaving = running.handle.advance(Direction::Outbound, Phase::Leaving);
    leaving.await.unwrap();
    sent_away(&caller).await;
    let again = Caller::connect(running.outbound()).await;
    let further = begin(&again, 1).await;
    gate.add_permits(3);
    all_succeed(calls).await;
    all_succeed(further).await;
    assert!(soon(caller.connection).await.unwrap().is_ok());
}

#[tokio::test]
async fn draining_cuts_what_is_left_when_its_time_is_over() {
    let gate = Arc::new(Semaphore::new(0));
    let upstream = held(h2::server::Builder::new(), &gate).await;
    let (running, caller) = serve(cluster(&[upstream.address])).await;
    let calls = begin(&caller, 1).await;
    until(async || upstream.calls() == 1).await;
    soon(running.handle.drain(Duration::from_millis(100)))
        .await
        .unwrap();
    assert!(soon(caller.connection).await.unwrap().is_err() || calls[0].is_finished());
    until(async || running.handle.stats().await.unwrap().in_flight == 0).await;
}

#[tokio::test]
async fn every_listener_takes_calls() {
    let app = Upstream::answering("0", "answer").await;
    let mut settings = proxy::Settings {
        upstreams: vec![upstream_listener(cart(), 80)],
        ..settings()
    };
    settings.inbound = beside(app.address).inbound;
    let running = Running::start(settings);
    running
        .handle
        .apply(config(cluster(&[app.address])))
        .await
        .unwrap();
    let addresses = running.handle.addresses().clone();
    for address in [
        addresses.inbound[0],
        addresses.upstreams[0],
        addresses.outbound.unwrap(),
    ] {
        let answer = Caller::connect(address).await.grpc().await;
        assert_eq!(
            (answer.grpc_status(), answer.body.as_slice()),
            (Some("0"), b"answer".as_slice())
        );
    }
    assert_eq!(
        running
            .metric("breakwater_requests_total", &["inbound", "OK"])
            .await,
        1.0
    );
}
