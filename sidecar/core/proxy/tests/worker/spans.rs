//! Spans of traces that are recorded: of hedges, of clients that leave, of fallbacks.

use std::sync::Arc;
use std::time::Duration;

use policy::Percent;
use policy::trace_context::Sampling;
use proxy::Config;
use proxy::config::{Cluster, Fallback, Hedge, Instead};
use proxy::report::{Span, SpanKind};

use crate::support::build::{block, budget, cart, cluster, config};
use crate::support::upstream::response;
use crate::support::worker::{beside, settings};
use crate::support::{Running, Upstream, soon};

const TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const PARENT: u64 = 0xb7ad_6b71_6920_3331;
const GET: &str = "GET / HTTP/1.1\r\nHost: cart\r\n\
    traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";

/// The same, where spans are recorded.
fn traced(config: Arc<Config>) -> Arc<Config> {
    Arc::new(Config {
        tracing: Some(Sampling::new(Percent::new(0))),
        ..(*config).clone()
    })
}

/// The next spans that are told, which all belong to the trace.
async fn spans(running: &mut Running, count: usize) -> Vec<Span> {
    let mut spans = Vec::new();
    while spans.len() < count {
        spans.push(soon(running.spans.recv()).await.unwrap());
    }
    assert!(
        spans
            .iter()
            .all(|span| span.trace == TRACE && span.ended_unix_ns >= span.began_unix_ns)
    );
    spans
}

/// The span that a request was sent under.
fn sent(upstream: &Upstream, place: usize) -> u64 {
    let header = upstream.requests()[place]
        .field("traceparent")
        .unwrap()
        .to_owned();
    u64::from_str_radix(&header[36..52], 16).unwrap()
}

/// An upstream that holds every request until its connection ends.
async fn silent() -> Upstream {
    Upstream::scripted(|mut connection| async move {
        connection.request().await;
        connection.end().await;
    })
    .await
}

#[tokio::test]
async fn an_inbound_request_is_one_span_that_the_application_is_called_under() {
    let app = Upstream::with_status(200).await;
    let mut running = Running::start(beside(app.address));
    running.handle.apply(traced(Arc::default())).await.unwrap();
    let mut client = crate::support::Client::connect(running.inbound()).await;
    assert_eq!(client.ask(GET).await.status, 200);
    let [span] = &spans(&mut running, 1).await[..] else {
        unreachable!()
    };
    assert_eq!(
        (span.kind, span.parent, span.status),
        (SpanKind::Server, Some(PARENT), 200)
    );
    assert_eq!(
        (span.workload.as_ref(), span.id),
        (Some(&cart()), sent(&app, 0))
    );
}

#[tokio::test]
async fn both_attempts_of_a_hedge_are_spans() {
    let (slow, quick) = (silent().await, Upstream::with_status(200).await);
    let mut hedged = cluster(&[slow.address, quick.address]);
    hedged.hedge = block(Hedge {
        after: policy::hedge::After::Fixed(500_000_000),
        budget: budget(1_000),
    });
    let mut running = Running::with(traced(config(hedged))).await;
    while slow.calls() == 0 {
        assert_eq!(running.client().await.ask(GET).await.status, 200);
        if slow.calls() == 0 {
            spans(&mut running, 1).await;
        }
    }
    let told = spans(&mut running, 2).await;
    let [lost, won] = &told[..] else {
        unreachable!()
    };
    assert_eq!(
        (lost.kind, lost.failure, lost.resends),
        (SpanKind::Client, Some("cancelled"), 0)
    );
    assert_eq!(
        (won.kind, won.status, won.resends),
        (SpanKind::Client, 200, 1)
    );
    assert_eq!(
        (lost.id, won.id),
        (sent(&slow, 0), sent(&quick, quick.calls() - 1))
    );
}

#[tokio::test]
async fn the_attempt_that_a_client_leaves_is_a_span() {
    let upstream = silent().await;
    let mut running = Running::with(traced(config(cluster(&[upstream.address])))).await;
    let mut client = running.client().await;
    client.send(GET).await;
    crate::support::until(|| async { upstream.calls() == 1 }).await;
    drop(client);
    let told = spans(&mut running, 1).await;
    assert_eq!(
        (told[0].kind, told[0].failure),
        (SpanKind::Client, Some("cancelled"))
    );
    assert_eq!(told[0].reason, Some(policy::Reason::ClientCancelled));
}

#[tokio::test]
async fn a_service_that_is_asked_instead_is_called_in_the_same_trace() {
    let (failing, other) = (
        silent().await,
        Upstream::answering(|_| response(200, "other")).await,
    );
    let mut first = cluster(&[failing.address]);
    first.timeouts = block(proxy::config::Timeouts {
        request: Some(Duration::from_millis(100)),
        ..crate::support::build::timeouts()
    });
    let instead = proxy::ServiceName::new("shop", "other");
    first.fallback = block(Fallback {
        when: [policy::fallback::Case::Timeout].into_iter().collect(),
        instead: Instead::Service(instead.clone()),
    });
    let mut both = (*config(first)).clone();
    let second = Cluster {
        service: instead.clone(),
        ..cluster(&[other.address])
    };
    both.clusters.insert(instead.clone(), Arc::new(second));
    let mut running = Running::with(traced(Arc::new(both))).await;
    assert_eq!(running.client().await.ask(GET).await.text(), "other");
    let told = spans(&mut running, 2).await;
    assert!(
        told.iter()
            .all(|span| span.kind == SpanKind::Client && span.parent == Some(PARENT))
    );
    assert_eq!(
        (told[0].failure, &told[0].service),
        (Some("timeout"), &Some(cart()))
    );
    assert_eq!(
        (told[1].id, &told[1].service),
        (sent(&other, 0), &Some(instead))
    );
}

#[tokio::test]
async fn spans_that_nobody_takes_are_counted_and_hold_up_nobody() {
    let upstream = Upstream::with_status(200).await;
    let mut running = Running::start(settings());
    running
        .handle
        .apply(traced(config(cluster(&[upstream.address]))))
        .await
        .unwrap();
    running.spans.close();
    let mut client = running.client().await;
    for _ in 0..3 {
        assert_eq!(client.ask(GET).await.status, 200);
    }
    assert_eq!(
        running
            .metric("breakwater_overflows_total", &["spans"])
            .await,
        3.0
    );
}
