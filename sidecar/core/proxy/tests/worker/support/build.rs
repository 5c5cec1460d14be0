//! Configurations, a block at a time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use policy::backoff::Multiplier;
use policy::breaker::{self, HalfOpen, OpenTime, Trial, Trip, Window};
use policy::condition::Conditions;
use policy::ending::default_failures;
use policy::method::Method;
use policy::rate_limit::bandwidth::Bandwidth;
use policy::rate_limit::{self, Algorithm, Rate, WhenKeysFull};
use policy::retry::{self, Backoff, Strategy};
use policy::route::{Matcher, Path};
use policy::{Percent, Reason, budget, bulkhead};
use proxy::config::*;

pub(crate) const SECOND_NS: u64 = 1_000_000_000;

pub(crate) fn cart() -> ServiceName {
    ServiceName::new("shop", "cart")
}

pub(crate) fn policy(name: &str) -> Option<Arc<PolicyRef>> {
    Some(Arc::new(PolicyRef {
        kind: "ResiliencePolicy".into(),
        namespace: "shop".into(),
        name: name.into(),
        generation: 1,
    }))
}

pub(crate) fn block<T>(params: T) -> Option<Block<T>> {
    Some(Block {
        params,
        policy: policy("cart"),
    })
}

/// `shop/cart` on port 80, at these addresses, without any policy.
pub(crate) fn cluster(addresses: &[SocketAddr]) -> Cluster {
    let endpoint = |(place, address): (usize, &SocketAddr)| Endpoint {
        instance: format!("cart-{place}").into(),
        addresses: vec![Some(*address)],
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
        endpoints: addresses.iter().enumerate().map(endpoint).collect(),
        ..Cluster::bare(cart(), vec![port])
    }
}

/// A configuration in which `cart.shop` is this cluster.
pub(crate) fn config(cluster: Cluster) -> Arc<Config> {
    let mut config = Config::default();
    config
        .hosts
        .insert("cart.shop".into(), cluster.service.clone());
    config
        .clusters
        .insert(cluster.service.clone(), Arc::new(cluster));
    Arc::new(config)
}

pub(crate) fn timeouts() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(1),
        ..Timeouts::default()
    }
}

/// Retries without delay, whose budget never refuses.
pub(crate) fn retry(attempts: u32, when: &[&str]) -> Retry {
    Retry {
        other_methods: Vec::new(),
        params: retry::Params {
            attempts,
            when: Conditions::parse(when.iter().copied()).unwrap(),
            methods: [Method::Get, Method::Head, Method::Put, Method::Delete]
                .into_iter()
                .collect(),
            backoff: Backoff {
                strategy: Strategy::Immediate,
                base_ns: 0,
                multiplier: Multiplier::from_thousandths(2000),
                max_ns: 0,
                jitter_ns: 0,
            },
            replay_bytes: 65_536,
            honor_retry_after: true,
        },
        budget: budget(1_000),
    }
}

/// A budget of this many percent, whose floor is nothing.
pub(crate) fn budget(percent: u32) -> budget::Params {
    budget::Params {
        percent: Percent::new(percent),
        interval_ns: 10 * SECOND_NS,
        floor: budget::Rate {
            count: 0,
            per_ns: SECOND_NS,
        },
    }
}

/// A breaker that opens after so many failures in a row.
pub(crate) fn breaker(consecutive: u32, open: Duration) -> Breaker {
    Breaker {
        is_per_route: false,
        params: breaker::Params {
            window: Window::Count { size: 100 },
            minimum_requests: 100,
            trip: Trip {
                error_rate: None,
                slow_rate: None,
                slow_after_ns: None,
                consecutive_failures: Some(consecutive),
            },
            reset_timeout_ns: 60 * SECOND_NS,
            open: OpenTime {
                base_ns: open.as_nanos() as u64,
                multiplier: Multiplier::from_thousandths(1000),
                max_ns: open.as_nanos() as u64,
                jitter: Percent::new(0),
            },
            half_open: HalfOpen {
                trial: Trial::Successes(1),
                max_wait_ns: 30 * SECOND_NS,
            },
            overload_open_ns: None,
        },
        failures: default_failures(),
    }
}

pub(crate) fn bulkhead(max_concurrent: u32, max_queue: u32, queue_timeout: Duration) -> Bulkhead {
    Bulkhead {
        params: bulkhead::Params {
            max_concurrent,
            max_queue: Some(max_queue),
            queue_timeout_ns: Some(queue_timeout.as_nanos() as u64),
            lanes: bulkhead::NO_LANES,
        },
        shared: None,
    }
}

pub(crate) fn pool(max_connections: u32) -> Pool {
    Pool {
        max_connections,
        max_requests: None,
        max_age: None,
    }
}

/// `burst` requests at once, then one in an hour.
pub(crate) fn limit(name: &str, burst: u64, by: Vec<Subject>) -> Limit {
    Limit {
        name: name.into(),
        by,
        on_missing: OnMissing::ShareOne,
        matches: Vec::new(),
        cost: Cost::Fixed(1),
        params: rate_limit::Params {
            algorithm: Algorithm::TokenBucket {
                rate: Rate::new(1, 3600 * SECOND_NS),
                burst: Some(burst),
            },
            max_keys: 1000,
            when_keys_full: WhenKeysFull::ShareOne,
            count_refused: false,
        },
        reason: Reason::RatelimitToken,
        adaptive: None,
        is_divided: false,
    }
}

pub(crate) fn rules(limits: Vec<Limit>) -> LimitRules {
    LimitRules {
        policy: policy("cart-limits").unwrap(),
        limits,
        connections: Vec::new(),
        uploads: Vec::new(),
        downloads: Vec::new(),
        is_shadow: false,
        reach: Reach::default(),
        resources: Vec::new(),
        exempt: Arc::new([]),
        response: LimitResponse {
            status: 429,
            headers: LimitHeaders::Standard,
            problem: true,
        },
    }
}

/// Bytes by such limits: 64 KiB at once, then one a second.
pub(crate) fn trickle() -> Limit {
    let mut limit = limit("bytes", 1, Vec::new());
    limit.params.algorithm = Bandwidth::new(1).algorithm();
    limit
}

/// The one rule of a route, for calls of `cart` below a path.
pub(crate) fn rule(route: &str, prefix: &str) -> RouteRule {
    let matcher = Matcher {
        path: Some(Path::Prefix(prefix.as_bytes().into())),
        ..Matcher::default()
    };
    RouteRule {
        route: Arc::new(PolicyRef {
            kind: "HTTPRoute".into(),
            namespace: "shop".into(),
            name: route.into(),
            generation: 1,
        }),
        name: "0".into(),
        ports: Vec::new(),
        matches: policy::route::Rule {
            created_ns: None,
            route: format!("shop/{route}").into(),
            matches: vec![matcher],
        },
        backends: vec![RouteBackend {
            service: Some(cart()),
            port: None,
            weight: 1,
            settings: None,
        }],
        request_headers: None,
        response_headers: None,
        mirrors: Vec::new(),
    }
}

/// A plain call of `cart`, to be explained.
pub(crate) fn question() -> proxy::report::Question {
    proxy::report::Question {
        direction: proxy::report::Direction::Outbound,
        service: cart(),
        method: "GET".into(),
        path: "/".into(),
        headers: Vec::new(),
    }
}
