//! Bodies both ways, as fast as the slower side goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::peers::caller::grpc;
use crate::peers::{Call, Caller, Upstream, fields, read, write};
use crate::support::build::{cluster, config};
use crate::support::{Running, soon, until};

/// What a sender may have on its way when nobody reads: the reader's window and the sidecar's.
const ON_THE_WAY: usize = 2 * 65_535;

async fn running(upstream: &Upstream) -> (Running, Caller) {
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let caller = Caller::connect(running.outbound()).await;
    (running, caller)
}

/// Sends every message back as it comes.
async fn echo(mut call: Call) {
    let mut stream = call.begin();
    while let Some(Ok(part)) = call.body.data().await {
        call.body
            .flow_control()
            .release_capacity(part.len())
            .unwrap();
        write(&mut stream, part).await.unwrap();
    }
    stream
        .send_trailers(fields(&[("grpc-status", "0")]))
        .unwrap();
}

#[tokio::test]
async fn messages_go_both_ways_while_both_sides_are_open() {
    let upstream = Upstream::scripted(echo).await;
    let (_running, caller) = running(&upstream).await;
    let (response, mut stream) = caller.open(grpc()).await;
    let mut body = soon(response).await.unwrap().into_body();
    for message in ["one", "two", "three"] {
        stream.send_data(Bytes::from(message), false).unwrap();
        assert_eq!(soon(body.data()).await.unwrap().unwrap(), message);
    }
    stream.send_data(Bytes::new(), true).unwrap();
    assert!(soon(body.data()).await.is_none());
    assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
}

#[tokio::test]
async fn long_bodies_arrive_as_they_were_sent() {
    let upstream = Upstream::scripted(echo).await;
    let (running, caller) = running(&upstream).await;
    let body: Bytes = (0..4_000_000_u32).map(|at| (at % 251) as u8).collect();
    let (response, mut stream) = caller.open(grpc()).await;
    let sent = body.clone();
    tokio::spawn(async move {
        write(&mut stream, sent).await.unwrap();
        stream.send_data(Bytes::new(), true).unwrap();
    });
    let mut answer = soon(response).await.unwrap().into_body();
    assert_eq!(soon(read(&mut answer)).await.unwrap(), body);
    until(async || running.handle.stats().await.unwrap().in_flight == 0).await;
}

#[tokio::test]
async fn trailers_of_a_request_go_through() {
    let upstream = Upstream::scripted(|mut call| async move {
        let trailers = call.read().await.unwrap();
        assert_eq!(trailers["x-sum"], "12");
        assert!(!trailers.contains_key("breakwater-retry"));
        call.answer("0", "");
    })
    .await;
    let (_running, caller) = running(&upstream).await;
    let (response, mut stream) = caller.open(grpc()).await;
    stream.send_data(Bytes::from("hi"), false).unwrap();
    let trailers = fields(&[("x-sum", "12"), ("breakwater-retry", "exhausted")]);
    stream.send_trailers(trailers).unwrap();
    assert_eq!(soon(response).await.unwrap().status(), 200);
}

/// How much was written when at least so much was, and nothing has moved for a while.
async fn settled(written: &AtomicUsize, least: usize) -> usize {
    until(async || written.load(Ordering::SeqCst) >= least).await;
    let mut last = usize::MAX;
    while last != written.load(Ordering::SeqCst) {
        last = written.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    last
}

/// Sends without end, counting what there was room for.
async fn pour(stream: &mut h2::SendStream<Bytes>, written: &AtomicUsize) {
    let chunk = Bytes::from(vec![0; 8 * 1024]);
    while write(stream, chunk.clone()).await.is_ok() {
        written.fetch_add(chunk.len(), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn an_upstream_cannot_send_more_than_the_windows_to_a_client_that_stands_still() {
    let written = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&written);
    let upstream = Upstream::scripted(move |mut call| {
        let counted = Arc::clone(&counted);
        async move { pour(&mut call.begin(), &counted).await }
    })
    .await;
    let (running, caller) = running(&upstream).await;
    let (response, _stream) = caller.open(grpc()).await;
    let mut body = soon(response).await.unwrap().into_body();
    let first = settled(&written, 65_535 / 2).await;
    assert!(first <= ON_THE_WAY, "{first}");

    // It goes on as soon as the client does.
    let mut taken = 0;
    while taken < ON_THE_WAY {
        let part = soon(body.data()).await.unwrap().unwrap();
        taken += part.len();
        body.flow_control().release_capacity(part.len()).unwrap();
    }
    let second = settled(&written, first + 1).await;
    assert!(second <= taken + ON_THE_WAY, "{second}");

    drop((body, _stream));
    until(async || running.handle.stats().await.unwrap().in_flight == 0).await;
}

#[tokio::test]
async fn a_client_cannot_send_more_than_the_windows_to_an_upstream_that_stands_still() {
    let upstream = Upstream::scripted(|mut call| async move {
        let mut stream = call.begin();
        let _ = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
    })
    .await;
    let (_running, caller) = running(&upstream).await;
    let (response, mut stream) = caller.open(grpc()).await;
    let _body = soon(response).await.unwrap().into_body();
    let written = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&written);
    let pouring = tokio::spawn(async move { pour(&mut stream, &counted).await });
    let sent = settled(&written, 65_535 / 2).await;
    assert!(sent <= ON_THE_WAY, "{sent}");
    pouring.abort();
}

#[tokio::test]
async fn clients_that_stand_still_hold_up_no_others_on_the_same_connection() {
    let upstream = Upstream::scripted(|mut call| async move {
        if call.head.headers.contains_key("pour") {
            pour(&mut call.begin(), &AtomicUsize::new(0)).await;
        } else {
            call.read().await;
            call.answer("0", "answer");
        }
    })
    .await;
    let (_running, caller) = running(&upstream).await;
    let mut standing = Vec::new();
    for _ in 0..40 {
        let mut request = grpc();
        request.headers_mut().insert("pour", "1".parse().unwrap());
        let (response, stream) = caller.open(request).await;
        standing.push((soon(response).await.unwrap(), stream));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let other = Caller::connect(_running.outbound()).await;
    assert_eq!(other.grpc().await.body, b"answer");
}
