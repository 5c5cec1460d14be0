//! A worker without sockets, for tests of what requests meet.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use policy::Percent;
use policy::backoff::Multiplier;
use policy::breaker::{HalfOpen, OpenTime, Params, Trial, Trip, Window};
use policy::ending::default_failures;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet, yield_now};
use tokio::time::timeout;

use super::thread::first_panic;
use super::{Start, Worker, is_among};
use crate::config::{Block, Breaker, Cluster, Config, Endpoint, Port, Protocol};
use crate::journal::Journal;
use crate::name::{PolicyRef, ServiceName};
use crate::settings::{Bounds, LogSink};

pub(crate) const SECOND_NS: u64 = 1_000_000_000;

pub(crate) fn worker() -> Rc<Worker> {
    listening_at(Vec::new())
}

fn listening_at(own: Vec<SocketAddr>) -> Rc<Worker> {
    let (events, _) = mpsc::channel(1);
    let (spans, _) = mpsc::channel(1);
    let (demands, _) = mpsc::channel(1);
    Rc::new(Worker::new(Start {
        instance: "web-1".into(),
        namespace: "shop".into(),
        peer: "shop/web".into(),
        inbound: Vec::new(),
        opaque_ports: Vec::new(),
        app_protocols: Vec::new(),
        probed: Vec::new(),
        bounds: Bounds::default(),
        gauges: Arc::default(),
        demands,
        own,
        journal: Journal::new((events, spans), LogSink::none(), 1).unwrap(),
    }))
}

pub(crate) fn cart() -> ServiceName {
    ServiceName::new("shop", "cart")
}

/// The route `shop/api`.
pub(crate) fn route() -> Arc<PolicyRef> {
    Arc::new(PolicyRef {
        kind: "HTTPRoute".into(),
        namespace: "shop".into(),
        name: "api".into(),
        generation: 0,
    })
}

/// `shop/cart` with so many endpoints and no policy.
pub(crate) fn cluster(endpoints: u16) -> Cluster {
    let endpoint = |place: u16| Endpoint {
        instance: format!("cart-{place}").into(),
        addresses: vec![Some(([127, 0, 0, 1], 9_000 + place).into())],
        has_sidecar: false,
        is_near: false,
        weight: 1,
        group: None,
    };
    let port = Port {
        name: "http".into(),
        number: 80,
        protocol: Protocol::Http,
    };
    Cluster {
        endpoints: (0..endpoints).map(endpoint).collect(),
        ..Cluster::bare(cart(), vec![port])
    }
}

/// Has the worker serve this cluster; the live one.
pub(crate) fn serve(worker: &Rc<Worker>, cluster: Cluster) -> Rc<crate::live::Cluster> {
    let mut config = Config::default();
    config.hosts.insert("cart.shop".into(), cart());
    config.clusters.insert(cart(), Arc::new(cluster));
    worker.apply(Arc::new(config));
    Rc::clone(&worker.live.borrow().clusters[&cart()])
}

pub(crate) fn block<T>(params: T) -> Option<Block<T>> {
    Some(Block {
        params,
        policy: None,
    })
}

/// Opens after one failure, for a second; one success closes it.
pub(crate) fn breaker() -> Option<Block<Breaker>> {
    block(Breaker {
        is_per_route: false,
        params: Params {
            window: Window::Count { size: 10 },
            minimum_requests: 10,
            trip: Trip {
                error_rate: None,
                slow_rate: None,
                slow_after_ns: None,
                consecutive_failures: Some(1),
            },
            reset_timeout_ns: 60 * SECOND_NS,
            open: OpenTime {
                base_ns: SECOND_NS,
                multiplier: Multiplier::from_thousandths(1_000),
                max_ns: SECOND_NS,
                jitter: Percent::new(0),
            },
            half_open: HalfOpen {
                trial: Trial::Successes(1),
                max_wait_ns: 30 * SECOND_NS,
            },
            overload_open_ns: None,
        },
        failures: default_failures(),
    })
}

#[test]
fn a_listener_on_every_address_is_reached_at_loopback_and_not_elsewhere() {
    let own = ["0.0.0.0:15006", "[::]:15090", "10.0.0.1:80"].map(|own| own.parse().unwrap());
    for (address, is_own) in [
        ("127.0.0.1:15006", true),
        ("127.9.9.9:15006", true),
        ("10.0.0.2:15006", false),
        ("127.0.0.1:15007", false),
        ("10.0.0.1:80", true),
        ("10.0.0.2:80", false),
        ("[::1]:15006", true),
        ("[::1]:15090", true),
        ("127.0.0.1:15090", true),
        ("10.0.0.2:15090", false),
        ("[::ffff:127.0.0.1]:15006", true),
        ("[::ffff:10.0.0.1]:80", true),
        ("[::ffff:10.0.0.2]:80", false),
    ] {
        assert_eq!(
            is_among(&own, address.parse().unwrap()),
            is_own,
            "{address}"
        );
    }
}

#[test]
fn an_address_of_this_host_leads_here_at_a_port_where_all_are_listened_on() {
    let worker = listening_at(vec![
        "0.0.0.0:15006".parse().unwrap(),
        "127.0.0.1:15001".parse().unwrap(),
    ]);
    for (address, leads_here) in [
        ("127.0.0.1:15006", true),
        ("192.0.2.1:15006", false),
        ("127.0.0.1:15007", false),
        ("127.0.0.2:15001", false),
    ] {
        assert_eq!(
            worker.leads_here(address.parse().unwrap()),
            leads_here,
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_worker_ends_with_a_task_that_it_lives_by() {
    let living = async {
        let mut chores = JoinSet::new();
        chores.spawn_local(std::future::pending());
        chores.spawn_local(async { panic!("a chore's own fault") });
        first_panic(chores).await;
    };
    LocalSet::new().run_until(living).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_outlives_the_listeners_that_are_closed() {
    let living = async {
        let mut chores = JoinSet::new();
        chores.spawn_local(yield_now());
        timeout(Duration::from_secs(3_600), first_panic(chores)).await
    };
    assert!(LocalSet::new().run_until(living).await.is_err());
}
