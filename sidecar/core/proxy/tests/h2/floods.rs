//! Clients that send what nobody would in good faith, and what they are answered.

use std::time::Duration;

use crate::peers::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, HEADERS, RST_STREAM, Wire, frame, literal,
};
use crate::peers::{Caller, Upstream};
use crate::support::build::{cluster, config};
use crate::support::{Running, soon, until};

const ENHANCE_YOUR_CALM: u32 = 11;
const CANCEL: [u8; 4] = [0, 0, 0, 8];

async fn running(upstream: &Upstream) -> Running {
    Running::with(config(cluster(&[upstream.address]))).await
}

async fn silent() -> Upstream {
    Upstream::scripted(|mut call| async move { call.reset().await }).await
}

/// The connection is over, all of it was given back, and others are served.
async fn is_over(running: &Running, upstream: &Upstream) {
    until(async || {
        let connections = running
            .metric("breakwater_connections", &["downstream"])
            .await;
        connections == 0.0 && running.handle.stats().await.unwrap().in_flight == 0
    })
    .await;
    assert!(upstream.calls() <= 100, "{}", upstream.calls());
    let caller = Caller::connect(running.outbound()).await;
    let request = http::Request::get("http://cart:81/").body(()).unwrap();
    assert_eq!(caller.call(request, "").await.unwrap().status, 404);
}

fn head(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, GET)
}

fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL)
}

/// Sends what is said of each of 3,000 streams, as long as somebody takes it.
async fn flood(wire: &mut Wire, of: impl Fn(u32) -> Vec<u8>) {
    for at in 0..3_000 {
        if !wire.send(&of(2 * at + 1)).await {
            return;
        }
    }
}

#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let upstream = silent().await;
    let running = running(&upstream).await;
    let mut wire = Wire::connect(running.outbound()).await;
    flood(&mut wire, |at| [head(at), reset(at)].concat()).await;
    is_over(&running, &upstream).await;
}

#[tokio::test]
async fn rapid_resets_that_come_one_by_one_end_the_connection_too() {
    let upstream = silent().await;
    let running = running(&upstream).await;
    let mut wire = Wire::connect(running.outbound()).await;
    wire.stream.set_nodelay(true).unwrap();
    for at in 0..3_000 {
        let is_sent = wire.send(&head(2 * at + 1)).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        if !is_sent || !wire.send(&reset(2 * at + 1)).await {
            break;
        }
    }
    assert_eq!(soon(wire.goodbye()).await, Some(ENHANCE_YOUR_CALM));
    is_over(&running, &upstream).await;
}

#[tokio::test]
async fn resets_that_the_client_provokes_end_the_connection() {
    let upstream = silent().await;
    let running = running(&upstream).await;
    let mut wire = Wire::connect(running.outbound()).await;
    // Data after the end of a stream has the server reset it.
    let ended = |at| [head(at), frame(DATA, 0, at, b"x")].concat();
    flood(&mut wire, ended).await;
    is_over(&running, &upstream).await;
}

#[tokio::test]
async fn a_head_that_goes_on_and_on_ends_the_connection() {
    let upstream = silent().await;
    let running = running(&upstream).await;
    let mut wire = Wire::connect(running.outbound()).await;
    wire.send(&frame(HEADERS, END_STREAM, 1, GET)).await;
    let part = literal("x-long", &"y".repeat(100)).repeat(100);
    flood(&mut wire, |_| frame(CONTINUATION, 0, 1, &part)).await;
    is_over(&running, &upstream).await;
    assert_eq!(upstream.calls(), 0);
}

/// The status of the answer to a head with these fields more.
async fn status_of(running: &Running, fields: &[u8]) -> Vec<u8> {
    let mut wire = Wire::connect(running.outbound()).await;
    wire.send(&frame(HEADERS, END_STREAM, 1, GET)).await;
    for part in fields.chunks(16_000) {
        wire.send(&frame(CONTINUATION, 0, 1, part)).await;
    }
    wire.send(&frame(CONTINUATION, END_HEADERS, 1, &[])).await;
    soon(wire.next_of(HEADERS)).await.unwrap().payload
}

/// A status that is in no table begins with the name's index and its three digits in Huffman code.
const STATUS_431: &[u8] = b"\x48\x83\x69\x90\xff";

#[tokio::test]
async fn fields_beyond_their_bounds_are_refused() {
    let upstream = silent().await;
    let running = running(&upstream).await;
    let many = literal("cookie", "a=b").repeat(101);
    let answer = status_of(&running, &many).await;
    assert!(answer.starts_with(STATUS_431), "{answer:x?}");
    for fields in [99, 300] {
        let long = literal(&"x".repeat(40), &"y".repeat(120)).repeat(fields);
        let answer = status_of(&running, &long).await;
        assert!(answer.starts_with(STATUS_431), "{answer:x?}");
    }
    let refused = running.handle.decisions(9).await.unwrap();
    let told = refused
        .iter()
        .map(|refused| (refused.reason.as_str(), refused.status));
    assert_eq!(told.collect::<Vec<_>>(), [("protocol.invalid", 431); 2]);
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn heads_that_can_be_misread_reach_nobody() {
    let upstream = silent().await;
    let running = running(&upstream).await;
    let fields = [
        ("host", "payments"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("te", "gzip"),
        ("content-length", "12x"),
        ("content-length", "5"),
        ("UPPER", "x"),
        ("x-line", "a\r\nb"),
        ("x-nul", "a\0b"),
        (":status", "200"),
        (":path", "/other"),
    ];
    for (name, value) in fields {
        let mut wire = Wire::connect(running.outbound()).await;
        let head = [GET, &literal(name, value)].concat();
        wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &head))
            .await;
        let answer = soon(async {
            loop {
                match wire.next().await {
                    Some(frame) if matches!(frame.kind, HEADERS | RST_STREAM) => return frame.kind,
                    Some(_) => {}
                    None => return 0,
                }
            }
        });
        let kind = answer.await;
        assert!(kind == HEADERS || kind == RST_STREAM || kind == 0, "{name}");
    }
    let caller = Caller::connect(running.outbound()).await;
    let request = http::Request::get("http://cart/").body(()).unwrap();
    let _call = caller.open(request).await;
    until(async || upstream.calls() > 0).await;
    assert_eq!(upstream.calls(), 1, "that one's alone");
}

#[tokio::test]
async fn a_malformed_call_is_refused_for_a_reason() {
    let upstream = silent().await;
    let running = running(&upstream).await;
    let caller = Caller::connect(running.outbound()).await;
    let request = http::Request::get("http://cart/")
        .header("host", "payments")
        .body(())
        .unwrap();
    let answer = caller.call(request, "").await.unwrap();
    assert_eq!(answer.status, 400);
    assert!(
        answer
            .field("proxy-status")
            .unwrap()
            .contains("protocol.invalid")
    );
    let decisions = running.handle.decisions(1).await.unwrap();
    assert_eq!(decisions[0].reason.as_str(), "protocol.invalid");
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_malformed_call_is_refused_in_the_form_that_it_asks_for() {
    let upstream = silent().await;
    let running = running(&upstream).await;
    let caller = Caller::connect(running.outbound()).await;
    let malformed = |method: http::Method| {
        let request = http::Request::builder().method(method).uri("http://cart/");
        request.header("host", "payments")
    };
    let grpc = malformed(http::Method::POST).header("content-type", "application/grpc");
    let answer = caller.call(grpc.body(()).unwrap(), "").await.unwrap();
    let told = (answer.status, answer.grpc_status(), answer.body.len());
    assert_eq!(told, (200, Some("13"), 0), "INTERNAL");
    assert_eq!(answer.field("grpc-message"), Some("protocol.invalid"));
    let head = malformed(http::Method::HEAD).body(()).unwrap();
    let answer = caller.call(head, "").await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (400, 0));
    assert_eq!(upstream.calls(), 0);
}
