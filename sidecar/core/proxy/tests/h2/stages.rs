//! What each stage took is back when a later one refuses, whatever is spoken.

use std::any::Any;
use std::net::SocketAddr;
use std::time::Duration;

use policy::breaker::Forced;
use policy::rate_limit::{Algorithm, Share};
use proxy::Force;
use proxy::config::Cluster;
use tokio::net::{TcpListener, TcpStream};

use crate::peers::Caller;
use crate::peers::caller::grpc;
use crate::support::build::{
    block, breaker, budget, bulkhead, cart, cluster, config, limit, pool, retry, rules, timeouts,
};
use crate::support::{Running, until};

/// What is spoken.
#[derive(Clone, Copy, Debug)]
enum Spoken {
    Http1,
    Http2,
    Grpc,
}

const ALL: [Spoken; 3] = [Spoken::Http1, Spoken::Http2, Spoken::Grpc];

/// A call, and the `Proxy-Status` of its answer.
async fn refused(running: &Running, spoken: Spoken) -> String {
    refused_within(running, spoken, None).await
}

/// The same with what is left of a deadline, as a client tells it.
async fn refused_within(running: &Running, spoken: Spoken, left_ms: Option<&str>) -> String {
    let field = left_ms.map(|left| format!("breakwater-deadline-ms: {left}\r\n"));
    let field = field.unwrap_or_default();
    if matches!(spoken, Spoken::Http1) {
        let request = format!("GET / HTTP/1.1\r\nHost: cart\r\n{field}\r\n");
        let answer = running.client().await.ask(&request).await;
        return answer.field("proxy-status").unwrap().to_owned();
    }
    let caller = Caller::connect(running.outbound()).await;
    let mut request = match spoken {
        Spoken::Grpc => grpc(),
        _ => http::Request::get("http://cart/").body(()).unwrap(),
    };
    if let Some(left) = left_ms {
        let (name, value) = match spoken {
            Spoken::Grpc => ("grpc-timeout", format!("{left}m")),
            _ => ("breakwater-deadline-ms", left.to_owned()),
        };
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let answer = caller.call(request, "").await.unwrap();
    answer.field("proxy-status").unwrap().to_owned()
}

/// A call that stays under way as long as what this gives is kept.
async fn hold(running: &Running, spoken: Spoken) -> Box<dyn Any> {
    if matches!(spoken, Spoken::Http1) {
        let mut client = running.client().await;
        client.send("GET / HTTP/1.1\r\nHost: cart\r\n\r\n").await;
        return Box::new(client);
    }
    let caller = Caller::connect(running.outbound()).await;
    let call = caller.open(grpc()).await;
    Box::new((caller, call))
}

/// Takes connections and says nothing.
async fn silent() -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = tokio::spawn(async move {
        let mut connections: Vec<TcpStream> = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.push(stream);
        }
    });
    (address, accepting)
}

/// A cluster whose every stage holds something of a call.
fn guarded(addresses: &[SocketAddr]) -> Cluster {
    let mut cluster = cluster(addresses);
    let mut in_flight = limit("in-flight", 1, Vec::new());
    in_flight.params.algorithm = Algorithm::Concurrency(Share::new(10, 1));
    cluster.limits = vec![rules(vec![in_flight])];
    cluster.bulkhead = block(bulkhead(5, 0, Duration::from_secs(1)));
    cluster.service_breaker = block(breaker(1, Duration::from_millis(1)));
    cluster
}

/// What calls hold: places in flight of the limit, permits of the bulkhead, endpoints.
async fn held(running: &Running) -> (u64, f64, u32) {
    let limits = running.handle.limits().await.unwrap();
    let bulkhead = running.metric("breakwater_bulkhead_inflight", &[]).await;
    let endpoints = running.handle.endpoints().await.unwrap();
    let in_flight = endpoints.iter().map(|endpoint| endpoint.in_flight).sum();
    (10 - limits[0].remaining, bulkhead, in_flight)
}

#[tokio::test]
async fn what_a_call_holds_comes_back_when_the_bulkhead_refuses_it() {
    for spoken in ALL {
        let (address, _accepting) = silent().await;
        let mut cluster = guarded(&[address]);
        cluster.bulkhead = block(bulkhead(1, 0, Duration::from_secs(1)));
        let running = Running::with(config(cluster)).await;
        let first = hold(&running, spoken).await;
        until(async || held(&running).await == (1, 1.0, 1)).await;
        assert!(refused(&running, spoken).await.contains("bulkhead.full"));
        assert_eq!(held(&running).await, (1, 1.0, 1), "{spoken:?}");
        drop(first);
        until(async || held(&running).await == (0, 0.0, 0)).await;
    }
}

#[tokio::test]
async fn what_a_call_holds_comes_back_when_the_breaker_or_the_endpoints_refuse_it() {
    for spoken in ALL {
        let running = Running::with(config(guarded(&[]))).await;
        for _ in 0..6 {
            let status = refused(&running, spoken).await;
            assert!(status.contains("upstream.no_endpoints"), "{status}");
            assert_eq!(held(&running).await, (0, 0.0, 0), "{spoken:?}");
        }
        let force = Force {
            service: cart(),
            endpoint: None,
            route: None,
            order: Some((Forced::Open, Duration::from_secs(60))),
        };
        running.handle.force_breaker(force).await.unwrap();
        for _ in 0..6 {
            let status = refused(&running, spoken).await;
            assert!(status.contains("breaker.forced"), "{status}");
            assert_eq!(held(&running).await, (0, 0.0, 0), "{spoken:?}");
        }
    }
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn what_a_call_holds_comes_back_when_the_pool_refuses_it_and_so_does_the_place_of_a_probe() {
    for spoken in ALL {
        let (address, _accepting) = silent().await;
        let with = |address, places| {
            let mut cluster = guarded(&[address]);
            cluster.pool = block(pool(places));
            cluster.timeouts = block(proxy::config::Timeouts {
                connect: Duration::from_millis(50),
                ..timeouts()
            });
            config(cluster)
        };
        let running = Running::with(with(address, 2)).await;
        let _first = hold(&running, spoken).await;
        until(async || held(&running).await == (1, 1.0, 1)).await;
        running.handle.apply(with(nobody(), 2)).await.unwrap();
        let status = refused(&running, spoken).await;
        assert!(status.contains("upstream.connect"), "{status}");
        // The breaker has opened, and takes one probe at a time.
        running.handle.apply(with(address, 1)).await.unwrap();
        let refused_by_pool = async || {
            refused(&running, spoken)
                .await
                .contains("bulkhead.connections")
        };
        until(refused_by_pool).await;
        for _ in 0..3 {
            assert!(refused_by_pool().await, "{spoken:?}");
            assert_eq!(held(&running).await, (1, 1.0, 0), "{spoken:?}");
        }
    }
}

#[tokio::test]
async fn a_failure_whose_retry_is_refused_goes_back_and_the_retry_costs_nothing() {
    for spoken in ALL {
        let mut cluster = guarded(&[nobody(), nobody()]);
        cluster.service_breaker = block(breaker(1, Duration::from_secs(60)));
        cluster.retry = block(proxy::config::Retry {
            budget: budget(100),
            ..retry(3, &["ConnectFailure"])
        });
        let running = Running::with(config(cluster)).await;
        let status = refused(&running, spoken).await;
        assert!(status.contains("upstream.connect"), "{status}");
        let family = "breakwater_retry_budget_balance";
        assert_eq!(running.metric(family, &[]).await, 1.0, "{spoken:?}");
        assert_eq!(held(&running).await, (0, 0.0, 0), "{spoken:?}");
    }
}

#[tokio::test]
async fn time_in_whatever_line_counts_against_the_deadline() {
    for (spoken, is_pool) in ALL.into_iter().flat_map(|it| [(it, true), (it, false)]) {
        let (address, _accepting) = silent().await;
        let mut cluster = guarded(&[address]);
        // A connection carries one call, and there may be one; or one call at a time.
        cluster.pool = block(proxy::config::Pool {
            max_requests: Some(1),
            ..pool(1)
        })
        .filter(|_| is_pool);
        if !is_pool {
            cluster.bulkhead = block(bulkhead(1, 1, Duration::from_secs(60)));
        }
        cluster.timeouts = block(proxy::config::Timeouts {
            connect: Duration::from_secs(60),
            ..timeouts()
        });
        let running = Running::with(config(cluster)).await;
        let _first = hold(&running, spoken).await;
        until(async || held(&running).await == (1, 1.0, 1)).await;
        let status = refused_within(&running, spoken, Some("100")).await;
        assert!(status.contains("timeout.request"), "{spoken:?}: {status}");
        assert_eq!(held(&running).await, (1, 1.0, 1), "{spoken:?}");
        let breakers = running.handle.breakers().await.unwrap();
        assert_eq!(breakers[0].counts.calls, 0, "{spoken:?}");
    }
}
