//! Second attempts beside slow ones, counted at the upstreams.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use policy::breaker::State;
use policy::budget::Rate;
use policy::hedge::After;
use proxy::config::{Cluster, Hedge};
use tokio::sync::Notify;

use crate::support::build::{
    SECOND_NS, block, breaker, budget, bulkhead, cart, cluster, config, pool, question, retry,
    timeouts,
};
use crate::support::full::Full;
use crate::support::upstream::response;
use crate::support::{Running, Upstream, soon, until};

const GET: &str = "GET / HTTP/1.1\r\nHost: cart\r\n\r\n";
/// Never hedged.
const POST: &str = "POST / HTTP/1.1\r\nHost: cart\r\n\r\n";

/// What the script of an upstream makes of one request, counted over all upstreams of a test.
#[derive(Clone, Copy)]
enum Part {
    /// Holds it until the sidecar hangs up.
    Hold,
    /// Answers with this status, at once or after so long.
    Answer(u16),
    Late(u64, u16),
    /// Answers so once the next request is there.
    Beside(u16),
    /// Answers so when the test says so.
    Told(u16),
}

/// What upstreams of one test share: how many requests came and were reset, and the word to answer.
#[derive(Default)]
struct Play {
    seen: AtomicUsize,
    reset: AtomicUsize,
    word: Notify,
}

impl Play {
    fn resets(&self) -> usize {
        self.reset.load(Ordering::SeqCst)
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    /// Waits for the time to answer the request at this place; the status, if there is one.
    async fn answer_to(&self, place: usize, part: Part) -> Option<u16> {
        match part {
            Part::Answer(status) => Some(status),
            Part::Late(milliseconds, status) => {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                Some(status)
            }
            Part::Beside(status) => {
                until(|| async { self.seen() > place + 1 }).await;
                Some(status)
            }
            Part::Told(status) => {
                self.word.notified().await;
                Some(status)
            }
            Part::Hold => None,
        }
    }
}

/// An upstream that takes its part of `parts`, by the place of each request among all.
async fn playing(play: &Arc<Play>, parts: &'static [Part]) -> Upstream {
    let play = Arc::clone(play);
    Upstream::scripted(move |mut connection| {
        let play = Arc::clone(&play);
        async move {
            while connection.request().await.is_some() {
                let place = play.seen.fetch_add(1, Ordering::SeqCst);
                let part = parts.get(place).copied().unwrap_or(Part::Answer(200));
                let Some(status) = play.answer_to(place, part).await else {
                    connection.end().await;
                    play.reset.fetch_add(1, Ordering::SeqCst);
                    return;
                };
                connection.send(response(status, "hello")).await;
            }
        }
    })
    .await
}

fn after(milliseconds: u64) -> Hedge {
    Hedge {
        after: After::Fixed(milliseconds * 1_000_000),
        budget: budget(1_000),
    }
}

fn hedged(addresses: &[SocketAddr]) -> Cluster {
    let mut cluster = cluster(addresses);
    cluster.hedge = block(after(20));
    cluster
}

async fn hedges(running: &Running, result: &str) -> f64 {
    running.metric("breakwater_hedges_total", &[result]).await
}

async fn attempts(running: &Running, result: &str) -> f64 {
    running.metric("breakwater_attempts_total", &[result]).await
}

/// Two upstreams of one play.
async fn pair(parts: &'static [Part]) -> (Arc<Play>, [Upstream; 2]) {
    let play = Arc::new(Play::default());
    let upstreams = [playing(&play, parts).await, playing(&play, parts).await];
    (play, upstreams)
}

fn addresses(upstreams: &[Upstream; 2]) -> [SocketAddr; 2] {
    upstreams.each_ref().map(|upstream| upstream.address)
}

#[tokio::test]
async fn another_endpoint_is_asked_beside_a_slow_one_which_is_reset() {
    let (play, upstreams) = pair(&[Part::Hold]).await;
    let mut cluster = hedged(&addresses(&upstreams));
    cluster.service_breaker = block(breaker(1, Duration::from_secs(60)));
    cluster.endpoint_breaker = block(breaker(1, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let answer = running.client().await.get("/").await;
    assert_eq!(
        (answer.status, answer.field("breakwater-attempts")),
        (200, Some("2"))
    );
    assert_eq!(upstreams.each_ref().map(Upstream::calls), [1, 1]);
    until(|| async { play.resets() == 1 }).await;
    assert_eq!(hedges(&running, "won").await, 1.0);
    assert_eq!(attempts(&running, "success").await, 1.0);
    assert_eq!(attempts(&running, "cancelled").await, 1.0);
    // The loser counts nowhere.
    for breaker in running.handle.breakers().await.unwrap() {
        assert_eq!(breaker.state, State::Closed);
        assert_eq!(breaker.counts.failures, 0);
    }
}

#[tokio::test]
async fn a_first_attempt_that_answers_after_all_wins() {
    let (play, upstreams) = pair(&[Part::Beside(200), Part::Hold]).await;
    let running = Running::with(config(hedged(&addresses(&upstreams)))).await;
    let answer = running.client().await.get("/").await;
    assert_eq!(
        (answer.status, answer.field("breakwater-attempts")),
        (200, Some("2"))
    );
    until(|| async { play.resets() == 1 }).await;
    assert_eq!(hedges(&running, "lost").await, 1.0);
}

#[tokio::test]
async fn a_quick_answer_needs_no_second_attempt() {
    let (play, upstreams) = pair(&[]).await;
    let mut cluster = hedged(&addresses(&upstreams));
    cluster.hedge = block(after(60_000));
    let running = Running::with(config(cluster)).await;
    let answer = running.client().await.get("/").await;
    assert_eq!(
        (answer.field("breakwater-attempts"), play.seen()),
        (None, 1)
    );
}

#[tokio::test]
async fn a_lone_endpoint_is_asked_again_on_another_connection() {
    let play = Arc::new(Play::default());
    let upstream = playing(&play, &[Part::Hold]).await;
    let running = Running::with(config(hedged(&[upstream.address]))).await;
    assert_eq!(running.client().await.get("/").await.status, 200);
    assert_eq!((upstream.calls(), upstream.connections()), (2, 2));
}

#[tokio::test]
async fn a_connection_that_does_not_come_is_hedged_too() {
    let full = Full::begin().await;
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(hedged(&[full.address, upstream.address]))).await;
    let mut client = running.client().await;
    for _ in 0..8 {
        assert_eq!(client.get("/").await.status, 200);
    }
    assert!(hedges(&running, "won").await >= 1.0);
}

#[tokio::test]
async fn what_is_not_safe_or_has_a_body_is_never_hedged() {
    let parts = &[
        Part::Late(100, 200),
        Part::Late(100, 200),
        Part::Late(100, 200),
    ];
    let (play, upstreams) = pair(parts).await;
    let running = Running::with(config(hedged(&addresses(&upstreams)))).await;
    let mut client = running.client().await;
    for request in [
        POST,
        "DELETE / HTTP/1.1\r\nHost: cart\r\nIdempotency-Key: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: cart\r\nContent-Length: 2\r\n\r\nhi",
    ] {
        let answer = client.ask(request).await;
        assert_eq!(
            (answer.status, answer.field("breakwater-attempts")),
            (200, None)
        );
    }
    assert_eq!(play.seen(), 3);
}

#[tokio::test]
async fn a_hedge_that_the_budget_refuses_is_not_made() {
    let (play, upstreams) = pair(&[Part::Told(200)]).await;
    let mut cluster = hedged(&addresses(&upstreams));
    let broke = Hedge {
        budget: budget(0),
        ..after(20)
    };
    cluster.hedge = block(broke);
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    client.send(GET).await;
    until(async || hedges(&running, "refused").await == 1.0).await;
    play.word.notify_one();
    assert_eq!((client.answer().await.status, play.seen()), (200, 1));
}

#[tokio::test]
async fn retries_and_hedges_spend_from_one_budget() {
    // Two retries' worth in the whole test: one goes to the hedge, one to the retry, and the last request gets none.
    let parts = &[
        Part::Hold,
        Part::Answer(200),
        Part::Answer(503),
        Part::Answer(200),
        Part::Answer(503),
    ];
    let (play, upstreams) = pair(parts).await;
    let mut cluster = hedged(&addresses(&upstreams));
    let mut retries = retry(2, &["503"]);
    retries.budget = budget(0);
    retries.budget.interval_ns = 3_600 * SECOND_NS;
    retries.budget.floor = Rate {
        count: 2,
        per_ns: 3_600 * SECOND_NS,
    };
    cluster.retry = block(retries);
    let running = Running::with(config(cluster)).await;
    let told = running.handle.set_live_callers([(cart(), 1)].into());
    told.await.unwrap();
    let mut client = running.client().await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(client.get("/").await.status);
    }
    assert_eq!((statuses, play.seen()), (vec![200, 200, 503], 5));
}

#[tokio::test]
async fn nothing_is_hedged_while_a_breaker_is_not_closed() {
    let (play, upstreams) = pair(&[Part::Answer(500), Part::Late(100, 200)]).await;
    let mut cluster = hedged(&addresses(&upstreams));
    cluster.service_breaker = block(breaker(1, Duration::from_millis(1)));
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    assert_eq!(client.ask(POST).await.status, 500);
    tokio::time::sleep(Duration::from_millis(5)).await;
    let probe = client.get("/").await;
    assert_eq!(
        (probe.status, probe.field("breakwater-attempts")),
        (200, None)
    );
    assert_eq!(play.seen(), 2);
}

#[tokio::test]
async fn nothing_is_hedged_while_an_endpoints_breaker_is_not_closed() {
    let (play, upstreams) = pair(&[Part::Answer(500), Part::Late(100, 200)]).await;
    let mut cluster = hedged(&addresses(&upstreams));
    cluster.endpoint_breaker = block(breaker(1, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    assert_eq!(client.ask(POST).await.status, 500);
    assert_eq!(client.get("/").await.status, 200);
    assert_eq!(play.seen(), 2);
}

#[tokio::test]
async fn when_one_of_two_attempts_fails_the_other_is_waited_for() {
    for parts in [
        // The first fails while the second is under way, and the other way round.
        &[Part::Beside(503), Part::Told(200)],
        &[Part::Told(200), Part::Answer(503)],
    ] as [&[Part]; 2]
    {
        let (play, upstreams) = pair(parts).await;
        let running = Running::with(config(hedged(&addresses(&upstreams)))).await;
        let mut client = running.client().await;
        client.send(GET).await;
        until(async || attempts(&running, "failure").await == 1.0).await;
        play.word.notify_one();
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, answer.field("breakwater-attempts")),
            (200, Some("2"))
        );
        assert_eq!(play.seen(), 2);
        assert_eq!(attempts(&running, "success").await, 1.0);
    }
}

#[tokio::test]
async fn when_both_attempts_fail_the_call_is_tried_again_as_often_as_without_a_hedge() {
    let parts = &[
        Part::Beside(503),
        Part::Answer(502),
        Part::Answer(503),
        Part::Answer(200),
    ];
    let (play, upstreams) = pair(parts).await;
    let mut cluster = hedged(&addresses(&upstreams));
    cluster.retry = block(retry(2, &["5xx"]));
    let running = Running::with(config(cluster)).await;
    let answer = running.client().await.get("/").await;
    assert_eq!(
        (answer.status, answer.field("breakwater-attempts")),
        (200, Some("4"))
    );
    assert_eq!(play.seen(), 4);
}

#[tokio::test]
async fn a_call_is_hedged_once_over_all_its_tries() {
    let parts = &[Part::Beside(503), Part::Answer(503), Part::Late(100, 200)];
    let (play, upstreams) = pair(parts).await;
    let mut cluster = hedged(&addresses(&upstreams));
    cluster.retry = block(retry(2, &["503"]));
    let running = Running::with(config(cluster)).await;
    let answer = running.client().await.get("/").await;
    assert_eq!((answer.status, play.seen()), (200, 3));
}

#[tokio::test]
async fn each_of_two_attempts_has_its_own_time() {
    let (play, upstreams) = pair(&[Part::Hold, Part::Hold]).await;
    let mut cluster = hedged(&addresses(&upstreams));
    cluster.hedge = block(after(100));
    let mut bounds = timeouts();
    bounds.per_try = Some(Duration::from_secs(1));
    cluster.timeouts = block(bounds);
    let running = Running::with(config(cluster)).await;
    let began = Instant::now();
    assert_eq!(running.client().await.get("/").await.status, 504);
    assert!(began.elapsed() >= Duration::from_millis(1_100));
    assert_eq!(play.seen(), 2);
    assert_eq!(attempts(&running, "timeout").await, 2.0);
}

#[tokio::test]
async fn without_a_place_for_another_connection_the_first_attempt_goes_on_alone() {
    let (play, upstreams) = pair(&[Part::Told(200)]).await;
    let mut cluster = hedged(&addresses(&upstreams));
    cluster.pool = block(pool(1));
    let mut bounds = timeouts();
    bounds.connect = Duration::from_millis(200);
    cluster.timeouts = block(bounds);
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    client.send(GET).await;
    until(async || hedges(&running, "refused").await == 1.0).await;
    play.word.notify_one();
    let answer = client.answer().await;
    assert_eq!(
        (
            answer.status,
            answer.field("breakwater-attempts"),
            play.seen()
        ),
        (200, None, 1)
    );
    let left = explained(&running, "budget").await;
    assert!(left.ends_with("has 10 left"), "{left}");
}

#[tokio::test]
async fn a_hedge_that_was_not_made_leaves_no_more_tries_than_there_were() {
    let parts = &[Part::Told(503), Part::Answer(503), Part::Answer(503)];
    let (play, upstreams) = pair(parts).await;
    let mut cluster = hedged(&addresses(&upstreams));
    cluster.retry = block(retry(1, &["503"]));
    cluster.pool = block(pool(1));
    let mut bounds = timeouts();
    bounds.connect = Duration::from_millis(200);
    cluster.timeouts = block(bounds);
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    client.send(GET).await;
    until(async || hedges(&running, "refused").await == 1.0).await;
    play.word.notify_one();
    assert_eq!((client.answer().await.status, play.seen()), (503, 2));
}

#[tokio::test]
async fn a_client_that_leaves_ends_both_attempts_and_every_permit_comes_back() {
    let (play, upstreams) = pair(&[Part::Hold, Part::Hold]).await;
    let mut cluster = hedged(&addresses(&upstreams));
    cluster.bulkhead = block(bulkhead(1, 0, Duration::ZERO));
    cluster.pool = block(pool(2));
    cluster.service_breaker = block(breaker(1, Duration::from_secs(60)));
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    client.send(GET).await;
    until(|| async { play.seen() == 2 }).await;
    drop(client);
    until(|| async { play.resets() == 2 }).await;
    until(|| async { running.metric("breakwater_bulkhead_inflight", &[]).await == 0.0 }).await;
    assert_eq!(attempts(&running, "cancelled").await, 2.0);
    // Both places are free again.
    let answers = [
        running.client().await.get("/").await,
        running.client().await.get("/").await,
    ];
    assert_eq!(answers.map(|answer| answer.status), [200, 200]);
}

#[tokio::test]
async fn a_percentile_is_hedged_by_once_enough_is_known() {
    let (play, upstreams) = pair(&[]).await;
    let mut cluster = hedged(&addresses(&upstreams));
    cluster.hedge = block(Hedge {
        after: After::Share(policy::Percent::new(99)),
        ..after(0)
    });
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    assert!(explained(&running, "hedge").await.starts_with("none yet"));
    for _ in 0..20 {
        assert_eq!(soon(client.get("/")).await.status, 200);
    }
    assert!(
        explained(&running, "hedge")
            .await
            .starts_with("a second attempt")
    );
    assert!(play.seen() >= 20);
}

/// What `explain` says of a stage.
async fn explained(running: &Running, stage: &str) -> String {
    let steps = running.handle.explain(question()).await.unwrap().steps;
    let step = steps.into_iter().find(|step| step.stage == stage);
    step.unwrap().text
}
