//! What stands in front of the application: who runs, who waits, who is turned away, in which order.

mod modes;
mod overload;

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
        let (app, gate) = Upstream::gated().await;
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
async fn who_has_not_reached_an_application_that_leaves_may_ask_another() {
    let stand = Stand::with(queue(1, Mode::Block { for_ns: u64::MAX })).await;
    let mut busy = stand.busy().await;
    let mut waiting = stand.queue(&get("/second"), 1.0).await;
    let mut held = stand.send(&get("/third")).await;
    until(async || stand.running.metric("breakwater_inflight", &[]).await == 3.0).await;
    let drained = stand.running.handle.drain(Duration::from_millis(500));
    let (told, drained) = tokio::join!(
        async { [waiting.answer().await, held.answer().await] },
        drained
    );
    drained.unwrap();
    for answer in told {
        assert_eq!((answer.status, answer.reason()), (503, "draining"));
        assert_eq!(answer.field("connection"), Some("close"));
    }
    assert!(busy.end().await.is_empty());
    let refused = stand
        .running
        .metric("breakwater_requests_total", &["draining"])
        .await;
    assert_eq!(
        (refused, stand.depth().await, stand.app.calls()),
        (2.0, 0.0, 1)
    );
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
    assert_eq!(shed.reason(), "shed.class");
    let refused = stand.client().await.ask(&of("background")).await;
    assert_eq!(refused.reason(), "queue.full");
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
    assert_eq!(shed.reason(), "shed.fairness");
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
    until(async || stand.app.calls() == 2).await;
    let mut third = stand.send(&get("/third")).await;
    until(async || stand.app.calls() == 3).await;
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
