//! Lines of leaky buckets: whoever waits there goes on when policies change, too.

use policy::rate_limit::{Algorithm, Evict, Leak, Params, Rate};
use proxy::config::*;

use crate::limits::{inbound, limited};
use crate::support::build::{SECOND_NS, limit, rules};
use crate::support::{Client, Running, Upstream, soon, until};

/// A line of ten places that moves once in `seconds`.
fn line(seconds: u64) -> Vec<LimitRules> {
    let plain = limit("line", 1, Vec::new());
    let leak = Leak {
        rate: Rate::new(1, seconds * SECOND_NS),
        queue: 10,
        max_wait_ns: u64::MAX,
        evict: Evict::Newest,
    };
    let params = Params {
        algorithm: Algorithm::LeakyBucket(leak),
        ..plain.params
    };
    vec![rules(vec![Limit { params, ..plain }])]
}

/// A client whose request waits in a line that moves once in an hour.
async fn waiting(running: &Running) -> Client {
    let mut first = Client::connect(running.inbound()).await;
    assert_eq!(first.get("/").await.status, 200);
    let mut second = Client::connect(running.inbound()).await;
    second.send("GET / HTTP/1.1\r\nHost: cart\r\n\r\n").await;
    until(async || remaining(running).await == 9).await;
    second
}

async fn remaining(running: &Running) -> u64 {
    running.handle.limits().await.unwrap()[0].remaining
}

#[tokio::test]
async fn those_in_line_go_on_when_the_rate_is_raised() {
    let app = Upstream::with_status(200).await;
    let running = limited(&app, line(3600)).await;
    let mut waiting = waiting(&running).await;
    running.handle.apply(inbound(line(1))).await.unwrap();
    assert_eq!(soon(waiting.answer()).await.status, 200);
}

#[tokio::test]
async fn those_in_line_go_on_when_the_limit_is_deleted() {
    let app = Upstream::with_status(200).await;
    let running = limited(&app, line(3600)).await;
    let mut waiting = waiting(&running).await;
    running.handle.apply(inbound(Vec::new())).await.unwrap();
    assert_eq!(soon(waiting.answer()).await.status, 200);
}

#[tokio::test]
async fn a_charge_of_a_deleted_limit_is_never_taken_from_its_successor() {
    let app = Upstream::with_status(200).await;
    let running = limited(&app, line(3600)).await;
    let mut early = waiting(&running).await;
    running.handle.apply(inbound(Vec::new())).await.unwrap();
    running.handle.apply(inbound(line(3600))).await.unwrap();
    assert_eq!(soon(early.answer()).await.status, 200);
    let late = waiting(&running).await;
    drop(early);
    assert_eq!(remaining(&running).await, 9);
    drop(late);
    until(async || remaining(&running).await == 10).await;
}
