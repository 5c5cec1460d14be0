//! What stands in front of the application: who runs, who waits, who is turned away, in which order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use policy::backpressure::Discipline;
use policy::backpressure::{
    Concurrency, EarlyDetection, Mode, Params, QueueParams, codel, gradient,
};
use policy::{Criticality, Percent};
use proxy::config::{Backpressure, Class, HeaderMatch, Inbound, RequestMatch, Subject};
use proxy::report::{Direction, Question};
use proxy::{Config, Settings};
use tokio::sync::Semaphore;

use crate::support::build::{cart, cluster, policy, question};
use crate::support::upstream::{Connection, response};
use crate::support::worker::beside;
use crate::support::{Client, Running, Upstream, until};

/// A sidecar in front of an application that answers one request for each permit added.
struct Stand {
    running: Running,
    app: Upstream,
    gate: Arc<Semaphore>,
}

impl Stand {
    async fn with(rules: Backpressure) -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let shared = Arc::clone(&gate);
        let app = Upstream::scripted(move |mut connection| {
            let gate = Arc::clone(&shared);
            async move {
                while connection.request().await.is_some() {
                    gate.acquire().await.unwrap().forget();
                    connection.send(response(200, "hello")).await;
                }
            }
        })
        .await;
        let running = Running::start(beside(app.address));
        running.handle.apply(config(Some(rules))).await.unwrap();
        Self { running, app, gate }
    }

    async fn client(&self) -> Client {
        Client::connect(self.running.inbound()).await
    }

    /// Sends a request that is to wait for its answer.
    async fn send(&self, request: &str) -> Client {
        let mut client = self.client().await;
        client.send(request).await;
        client
    }

    /// The same, once so many wait because of it.
    async fn queue(&self, request: &str, depth: f64) -> Client {
        let client = self.send(request).await;
        until(async || self.depth().await == depth).await;
        client
    }

    async fn depth(&self) -> f64 {
        self.running
            .metric("breakwater_queue_depth", &["inbound", "shop/cart"])
            .await
    }

    async fn shed(&self, labels: &[&str]) -> f64 {
        self.running.metric("breakwater_shed_total", labels).await
    }

    /// One runs in the application.
    async fn busy(&self) -> Client {
        let client = self.send(&get("/first")).await;
        until(async || self.app.calls() == 1).await;
        client
    }

    /// Answers everybody, and waits until nobody is left.
    async fn rest(&self) {
        self.gate.add_permits(1000);
        until(async || {
            let in_flight = self.running.metric("breakwater_inflight", &[]).await;
            (self.depth().await, in_flight) == (0.0, 0.0)
        })
        .await;
    }

    /// Paths in the order in which the application saw them.
    fn order(&self) -> Vec<String> {
        let path = |head: &str| head.split(' ').nth(1).unwrap().to_owned();
        self.app
            .requests()
            .iter()
            .map(|request| path(&request.head))
            .collect()
    }
}

fn config(rules: Option<Backpressure>) -> Arc<Config> {
    let mut config = Config::default();
    let inbound = Inbound {
        service: cart(),
        limits: Vec::new(),
        backpressure: rules,
        shadow: None,
        routes: Vec::new(),
        scoped: Vec::new(),
    };
    config.inbound.insert(cart(), Arc::new(inbound));
    Arc::new(config)
}

fn queue(capacity: u32, mode: Mode) -> Backpressure {
    Backpressure {
        params: Params {
            concurrency: Concurrency::Fixed(1),
            queue: Some(QueueParams {
                capacity,
                mode,
                discipline: Discipline::Fifo,
            }),
            early_detection: None,
        },
        classes: Criticality::ALL.map(class).into(),
        fairness: Vec::new(),
        concurrency_policy: policy("cart"),
        queue_policy: policy("cart"),
    }
}

/// Requests are of the class that `x-class` says.
fn class(criticality: Criticality) -> Class {
    let header = HeaderMatch::Value {
        name: "x-class".into(),
        value: criticality.as_str().into(),
    };
    Class {
        criticality,
        matches: vec![RequestMatch {
            headers: vec![header],
            ..RequestMatch::default()
        }],
    }
}

fn get(path: &str) -> String {
    with(path, "x-none: 0")
}

fn with(path: &str, field: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: cart\r\n{field}\r\n\r\n")
}

fn of(class: &str) -> String {
    with(&format!("/{class}"), &format!("x-class: {class}"))
}

#[tokio::test]
async fn one_runs_one_waits_and_the_next_is_refused() {
    let stand = Stand::with(queue(1, Mode::DropNewest)).await;
    let mut first = stand.busy().await;
    let mut second = stand.queue(&get("/second"), 1.0).await;
    let refused = stand.client().await.get("/").await;
    assert_eq!(refused.status, 503);
    assert_eq!(
        refused.field("proxy-status"),
        Some("breakwater; error=http_request_denied; details=\"queue.full policy=shop/cart\"")
    );
    assert_eq!(refused.field("retry-after"), None);
    assert!(refused.text().contains("\"reason\":\"queue.full\""));
    stand.gate.add_permits(2);
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(second.answer().await.status, 200);
    stand.rest().await;
    assert_eq!(stand.app.calls(), 2);
    assert_eq!(
        stand.shed(&["shop/cart", "default", "queue.full"]).await,
        1.0
    );
    let admitted = stand
        .running
        .metric("breakwater_admitted_total", &["default"]);
    assert_eq!(admitted.await, 2.0);
}

#[tokio::test]
async fn without_a_queue_nothing_waits() {
    let mut rules = queue(1, Mode::DropNewest);
    rules.params.queue = None;
    let stand = Stand::with(rules).await;
    let _first = stand.busy().await;
    let refused = stand.client().await.get("/").await;
    assert!(
        refused
            .field("proxy-status")
            .unwrap()
            .contains("shed.concurrency policy=shop/cart")
    );
    stand.rest().await;
}

#[tokio::test]
async fn the_oldest_makes_room_for_the_newest() {
    let stand = Stand::with(queue(1, Mode::DropOldest)).await;
    let _first = stand.busy().await;
    let mut second = stand.queue(&get("/second"), 1.0).await;
    let mut third = stand.send(&get("/third")).await;
    let evicted = second.answer().await;
    assert_eq!(evicted.status, 503);
    assert!(
        evicted
            .field("proxy-status")
            .unwrap()
            .contains("queue.evicted")
    );
    stand.gate.add_permits(2);
    assert_eq!(third.answer().await.status, 200);
    assert_eq!(stand.order(), ["/first", "/third"]);
}

const BLOCK: Mode = Mode::Block { for_ns: 50_000_000 };

#[tokio::test]
async fn who_is_held_for_too_long_is_refused_and_never_sooner() {
    let stand = Stand::with(queue(1, BLOCK)).await;
    let _first = stand.busy().await;
    let _second = stand.queue(&get("/second"), 1.0).await;
    let began = std::time::Instant::now();
    let refused = stand.client().await.get("/").await;
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert!(
        refused
            .field("proxy-status")
            .unwrap()
            .contains("queue.blocked")
    );
    stand.rest().await;
}

#[tokio::test]
async fn who_is_held_goes_on_in_its_order_when_there_is_room() {
    let for_ns = 60_000_000_000;
    let stand = Stand::with(queue(1, Mode::Block { for_ns })).await;
    let _first = stand.busy().await;
    let _second = stand.queue(&get("/second"), 1.0).await;
    let mut third = stand.queue(&get("/third"), 2.0).await;
    let refused = stand.client().await.get("/").await;
    assert!(
        refused
            .field("proxy-status")
            .unwrap()
            .contains("queue.full")
    );
    stand.gate.add_permits(3);
    assert_eq!(third.answer().await.status, 200);
    assert_eq!(stand.order(), ["/first", "/second", "/third"]);
}

#[tokio::test]
async fn a_request_is_not_held_for_a_permit_of_its_own_trace() {
    let for_ns = 60_000_000_000;
    let stand = Stand::with(queue(1, Mode::Block { for_ns })).await;
    let traced = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let _first = stand.send(&with("/first", traced)).await;
    until(async || stand.app.calls() == 1).await;
    let _second = stand.queue(&get("/second"), 1.0).await;
    let refused = stand.client().await.ask(&with("/again", traced)).await;
    assert!(
        refused
            .field("proxy-status")
            .unwrap()
            .contains("queue.blocked")
    );
    stand.rest().await;
}

#[tokio::test]
async fn a_buffer_doubles_up_to_its_bounds() {
    let mode = |max_bytes| Mode::Buffer {
        max_capacity: 3,
        max_bytes,
    };
    let stand = Stand::with(queue(1, mode(1 << 20))).await;
    let _first = stand.busy().await;
    let mut waiting = Vec::new();
    for depth in 1..=3 {
        waiting.push(stand.queue(&get("/"), f64::from(depth)).await);
    }
    assert_eq!(
        stand.running.metric("breakwater_queue_capacity", &[]).await,
        3.0
    );
    let refused = stand.client().await.get("/").await;
    assert!(
        refused
            .field("proxy-status")
            .unwrap()
            .contains("queue.full")
    );
    stand.rest().await;
    stand
        .running
        .handle
        .apply(config(Some(queue(2, mode(100)))))
        .await
        .unwrap();
    let small = stand.client().await.get("/").await;
    assert_eq!(small.status, 200);
}

#[tokio::test]
async fn a_buffer_takes_no_more_bytes_than_it_may() {
    let (max_capacity, max_bytes) = (10, 100);
    let mode = Mode::Buffer {
        max_capacity,
        max_bytes,
    };
    let stand = Stand::with(queue(10, mode)).await;
    let _first = stand.busy().await;
    let _second = stand.queue(&get("/second"), 1.0).await;
    let long = format!("/{}", "x".repeat(100));
    let refused = stand.client().await.get(&long).await;
    assert!(
        refused
            .field("proxy-status")
            .unwrap()
            .contains("queue.full")
    );
    stand.rest().await;
}

#[tokio::test]
async fn a_throttle_tells_which_share_it_admits() {
    let from = Percent::new(50);
    let stand = Stand::with(queue(2, Mode::Throttle { from })).await;
    let mut first = stand.busy().await;
    let mut second = stand.queue(&get("/second"), 1.0).await;
    let mut third = stand.queue(&get("/third"), 2.0).await;
    let refused = stand.client().await.get("/").await;
    assert!(
        refused
            .field("proxy-status")
            .unwrap()
            .contains("queue.throttled")
    );
    assert_eq!(refused.field("breakwater-admit-rate"), Some("0.5"));
    stand.gate.add_permits(3);
    let admitted = first.answer().await;
    assert_eq!(admitted.field("breakwater-admit-rate"), Some("0.5"));
    for client in [&mut second, &mut third] {
        assert_eq!(client.answer().await.status, 200);
    }
}

#[tokio::test]
async fn what_matters_more_goes_first_and_displaces_what_matters_least() {
    let stand = Stand::with(queue(3, Mode::DropNewest)).await;
    let _first = stand.busy().await;
    let mut background = stand.queue(&of("background"), 1.0).await;
    let _sheddable = stand.queue(&of("sheddable"), 2.0).await;
    let _plain = stand.queue(&of("default"), 3.0).await;
    let critical = stand.send(&of("critical")).await;
    let shed = background.answer().await;
    assert!(shed.field("proxy-status").unwrap().contains("shed.class"));
    let refused = stand.client().await.ask(&of("background")).await;
    assert!(
        refused
            .field("proxy-status")
            .unwrap()
            .contains("queue.full")
    );
    stand.rest().await;
    drop(critical);
    assert_eq!(
        stand.order(),
        ["/first", "/critical", "/default", "/sheddable"]
    );
    assert_eq!(stand.shed(&["background", "shed.class"]).await, 1.0);
    assert_eq!(stand.shed(&["background", "queue.full"]).await, 1.0);
}

#[tokio::test]
async fn tenants_take_turns_and_the_longest_line_makes_room() {
    let mut rules = queue(3, Mode::DropNewest);
    rules.fairness = vec![Subject::Header("x-tenant".into())];
    let stand = Stand::with(rules).await;
    let _first = stand.busy().await;
    let greedy = |place: u32| with(&format!("/greedy-{place}"), "x-tenant: greedy");
    let _one = stand.queue(&greedy(1), 1.0).await;
    let _two = stand.queue(&greedy(2), 2.0).await;
    let mut three = stand.queue(&greedy(3), 3.0).await;
    let _modest = stand.send(&with("/modest", "x-tenant: modest")).await;
    let shed = three.answer().await;
    assert!(
        shed.field("proxy-status")
            .unwrap()
            .contains("shed.fairness")
    );
    stand.rest().await;
    assert_eq!(
        stand.order(),
        ["/first", "/greedy-1", "/modest", "/greedy-2"]
    );
}

#[tokio::test]
async fn the_deadline_goes_on_in_the_queue() {
    let stand = Stand::with(queue(1, Mode::DropNewest)).await;
    let _first = stand.busy().await;
    let request = with("/", "breakwater-deadline-ms: 50");
    let late = stand.client().await.ask(&request).await;
    assert_eq!(late.status, 504);
    assert_eq!(
        late.field("proxy-status"),
        Some("breakwater; error=http_response_timeout; details=\"deadline.exhausted\"")
    );
    assert_eq!((stand.depth().await, stand.app.calls()), (0.0, 1));
    stand.rest().await;
}

#[tokio::test]
async fn a_client_that_leaves_the_queue_frees_its_place_and_no_permit_is_lost() {
    let stand = Stand::with(queue(1, Mode::DropNewest)).await;
    let first = stand.busy().await;
    let second = stand.queue(&get("/second"), 1.0).await;
    drop(second);
    until(async || stand.depth().await == 0.0).await;
    let mut third = stand.queue(&get("/third"), 1.0).await;
    drop(first);
    stand.gate.add_permits(2);
    assert_eq!(third.answer().await.status, 200);
    assert_eq!(stand.order(), ["/first", "/third"]);
    stand.rest().await;
}

#[tokio::test]
async fn a_standing_queue_is_dropped_from() {
    let mut rules = queue(100, Mode::DropNewest);
    let figures = codel::Params {
        target_ns: 1_000_000,
        interval_ns: 5_000_000,
    };
    if let Some(queue) = &mut rules.params.queue {
        queue.discipline = Discipline::CodelLifo(figures);
    }
    let stand = Stand::with(rules).await;
    let mut clients = vec![stand.busy().await];
    for depth in 1..=20 {
        clients.push(stand.queue(&get("/"), f64::from(depth)).await);
    }
    let mut statuses = Vec::new();
    for served in 1..=20 {
        stand.gate.add_permits(1);
        tokio::time::sleep(Duration::from_millis(5)).await;
        until(async || stand.app.calls() > served || stand.depth().await == 0.0).await;
    }
    stand.gate.add_permits(100);
    for client in &mut clients {
        statuses.push(client.answer().await.status);
    }
    let dropped = stand.shed(&["queue.codel"]).await;
    assert!(dropped >= 1.0);
    let refused = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!(refused as f64, dropped);
    assert_eq!(stand.app.calls() + refused, 21);
}

#[tokio::test]
async fn a_queue_that_fills_fast_sheds_background_before_it_is_full() {
    let mut rules = queue(100, Mode::DropNewest);
    rules.params.early_detection = Some(EarlyDetection {
        shed_background_below_ns: 3_600_000_000_000,
        shed_sheddable_below_ns: 0,
    });
    let stand = Stand::with(rules).await;
    let _first = stand.busy().await;
    let _second = stand.queue(&get("/second"), 1.0).await;
    assert!(stand.running.metric("breakwater_queue_growth", &[]).await > 0.0);
    let shed = stand.client().await.ask(&of("background")).await;
    assert!(shed.field("proxy-status").unwrap().contains("shed.class"));
    let _third = stand.queue(&of("sheddable"), 2.0).await;
    stand.rest().await;
}

#[tokio::test]
async fn an_adaptive_limit_stays_within_its_bounds() {
    let mut rules = queue(10, Mode::DropNewest);
    rules.params.concurrency = Concurrency::Adaptive(gradient::Params {
        min: 2,
        max: 3,
        tolerance: 1.5,
        smoothing: 0.2,
    });
    let stand = Stand::with(rules).await;
    let limit = stand
        .running
        .metric("breakwater_concurrency_limit", &[])
        .await;
    assert_eq!(limit, 3.0);
    let mut clients = Vec::new();
    for place in 1..=5 {
        clients.push(stand.send(&get("/")).await);
        until(async || {
            let depth = stand.depth().await as usize;
            (stand.app.calls(), depth) == (place.min(3), place - place.min(3))
        })
        .await;
    }
    stand.rest().await;
    assert_eq!(stand.app.calls(), 5);
}

#[tokio::test]
async fn a_policy_in_shadow_reports_and_changes_nothing() {
    let stand = Stand::with(queue(100, Mode::DropNewest)).await;
    let mut inbound = Inbound::clone(&config(None).inbound[&cart()]);
    inbound.shadow = Some(queue(1, Mode::DropNewest));
    let mut shadowed = Config::default();
    shadowed.inbound.insert(cart(), Arc::new(inbound));
    stand
        .running
        .handle
        .apply(Arc::new(shadowed))
        .await
        .unwrap();
    let mut clients = Vec::new();
    for place in 1..=5 {
        clients.push(stand.send(&get("/")).await);
        until(async || stand.app.calls() == place).await;
    }
    let ask = Question {
        direction: Direction::Inbound,
        ..question()
    };
    let told = stand.running.handle.explain(ask).await.unwrap();
    let step = told
        .steps
        .iter()
        .find(|step| step.stage == "backpressure in shadow");
    assert_eq!(
        step.unwrap().text,
        "1 of 1 running, 1 of 1 waiting; it is default; would be refused, queue.full, were it not in shadow"
    );
    assert!(told.refusal.is_none());
    stand.gate.add_permits(5);
    for client in &mut clients {
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.field("proxy-status")), (200, None));
    }
    let labels = ["shop/cart", "default", "queue.full"];
    let would = stand
        .running
        .metric("breakwater_shadow_shed_total", &labels)
        .await;
    assert_eq!((would, stand.shed(&[]).await), (3.0, 0.0));
}

/// An application that calls `cart` through its own sidecar for each request, and forwards `traceparent`.
async fn calling(outbound: SocketAddr, mut connection: Connection) {
    while let Some(request) = connection.request().await {
        let parent = request.field("traceparent").unwrap().to_owned();
        let call = with("/", &format!("traceparent: {parent}"));
        Client::connect(outbound).await.ask(&call).await;
        connection.send(response(200, "hello")).await;
    }
}

#[tokio::test]
async fn calls_for_a_request_tell_peers_how_much_it_matters_and_nobody_else() {
    for (has_sidecar, told) in [(true, Some("background")), (false, None)] {
        let next = Upstream::with_status(200).await;
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let outbound = free.local_addr().unwrap();
        drop(free);
        let app = Upstream::scripted(move |connection| calling(outbound, connection)).await;
        let running = Running::start(Settings {
            outbound: Some(outbound),
            ..beside(app.address)
        });
        let mut callee = cluster(&[next.address]);
        callee.endpoints[0].has_sidecar = has_sidecar;
        let mut both = (*crate::support::build::config(callee)).clone();
        both.inbound = config(Some(queue(1, Mode::DropNewest))).inbound.clone();
        running.handle.apply(Arc::new(both)).await.unwrap();
        let mut client = Client::connect(running.inbound()).await;
        assert_eq!(client.ask(&of("background")).await.status, 200);
        let call = &next.requests()[0];
        assert_eq!(call.field("breakwater-criticality"), told);
        assert_eq!(client.ask(&of("default")).await.status, 200);
        assert_eq!(next.requests()[1].field("breakwater-criticality"), None);
    }
}

#[tokio::test]
async fn no_policy_no_behaviour() {
    let stand = Stand::with(queue(1, Mode::DropNewest)).await;
    let mut first = stand.busy().await;
    let mut second = stand.queue(&get("/second"), 1.0).await;
    stand.running.handle.apply(config(None)).await.unwrap();
    let mut third = stand.send(&get("/third")).await;
    until(async || stand.app.calls() == 2).await;
    stand.gate.add_permits(3);
    for client in [&mut first, &mut second, &mut third] {
        assert_eq!(client.answer().await.status, 200);
    }
}

#[tokio::test]
async fn an_explanation_foresees_what_becomes_of_a_request() {
    let stand = Stand::with(queue(1, Mode::DropNewest)).await;
    let ask = || Question {
        direction: Direction::Inbound,
        ..question()
    };
    let step = async || {
        let explanation = stand.running.handle.explain(ask()).await.unwrap();
        let refusal = explanation.refusal.map(|(reason, _)| reason.as_str());
        let step = explanation
            .steps
            .into_iter()
            .find(|step| step.stage == "backpressure");
        (step.unwrap().text, refusal)
    };
    assert_eq!(
        step().await,
        (
            "0 of 1 running, 0 of 1 waiting; it is default".to_owned(),
            None
        )
    );
    let _first = stand.busy().await;
    let _second = stand.queue(&get("/second"), 1.0).await;
    let text = "1 of 1 running, 1 of 1 waiting; it is default".to_owned();
    assert_eq!(step().await, (text, Some("queue.full")));
    stand.rest().await;
}
