//! Which service a request reaches: names, ports, capture forms, loops, and names that are not known yet.

use std::net::SocketAddr;
use std::sync::Arc;

use proxy::config::{Config, Port, Protocol};
use proxy::{Settings, Supply, Wanted};

use crate::support::build::{cart, cluster, config, question};
use crate::support::worker::{settings, upstream_listener};
use crate::support::{Client, Running, Upstream, soon};

#[tokio::test]
async fn every_spelling_of_the_name_reaches_the_service() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let mut client = running.client().await;
    for host in [
        "cart",
        "cart.shop",
        "CART.shop.svc",
        "cart.shop.svc.cluster.local.",
        "cart:80",
    ] {
        let answer = client
            .ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[tokio::test]
async fn the_absolute_form_of_a_proxy_client_reaches_the_service_in_origin_form() {
    let upstream = Upstream::with_status(200).await;
    let running = Running::with(config(cluster(&[upstream.address]))).await;
    let request = "GET http://cart.shop/items?x=1 HTTP/1.1\r\nHost: cart.shop\r\n\r\n";
    assert_eq!(running.client().await.ask(request).await.status, 200);
    assert!(
        upstream.requests()[0]
            .head
            .starts_with("GET /items?x=1 HTTP/1.1\r\nHost: cart.shop\r\n")
    );
}

#[tokio::test]
async fn without_a_port_80_is_meant_or_the_only_one() {
    let upstream = Upstream::with_status(200).await;
    let mut only = cluster(&[upstream.address]);
    only.ports = vec![Port {
        name: "http".into(),
        number: 8080,
        protocol: Protocol::Http,
    }];
    let running = Running::with(config(only.clone())).await;
    let mut client = running.client().await;
    for (host, status) in [("cart", 200), ("cart:8080", 200), ("cart:80", 404)] {
        let answer = client
            .ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await;
        assert_eq!(answer.status, status, "{host}");
    }
    only.ports.push(Port {
        name: "admin".into(),
        number: 9090,
        protocol: Protocol::Http,
    });
    only.endpoints[0].addresses.push(None);
    running.handle.apply(config(only)).await.unwrap();
    assert_eq!(client.get("/").await.status, 404);
}

#[tokio::test]
async fn a_port_of_its_own_reaches_its_service_whatever_the_host() {
    let upstream = Upstream::with_status(200).await;
    let upstreams = vec![upstream_listener(cart(), 80)];
    let running = Running::start(Settings {
        upstreams,
        ..settings()
    });
    running
        .handle
        .apply(config(cluster(&[upstream.address])))
        .await
        .unwrap();
    let mut client = Client::connect(running.handle.addresses().upstreams[0]).await;
    let answer = client
        .ask("GET / HTTP/1.1\r\nHost: localhost:1234\r\n\r\n")
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(upstream.requests()[0].field("host"), Some("localhost:1234"));
}

#[tokio::test]
async fn the_first_request_to_an_unknown_name_waits_for_its_configuration() {
    let upstream = Upstream::with_status(200).await;
    let mut running = Running::start(settings());
    let mut client = running.client().await;
    client.send("GET / HTTP/1.1\r\nHost: cart\r\n\r\n").await;
    let demand = soon(running.demands.recv()).await.unwrap();
    assert_eq!(demand.wanted, Wanted::Host("cart.shop".into()));
    running
        .handle
        .apply(config(cluster(&[upstream.address])))
        .await
        .unwrap();
    demand.reply.send(Supply::Applied).unwrap();
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(client.get("/").await.status, 200);
    assert!(running.demands.try_recv().is_err());
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_asked_for_once() {
    let mut running = Running::start(settings());
    let mut client = running.client().await;
    client.send("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n").await;
    soon(running.demands.recv())
        .await
        .unwrap()
        .reply
        .send(Supply::Unknown)
        .unwrap();
    assert_eq!(client.answer().await.status, 404);
    let again = client.ask("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n").await;
    assert_eq!(
        (again.status, running.demands.try_recv().is_err()),
        (404, true)
    );
}

#[tokio::test]
async fn when_nobody_can_tell_the_configuration_is_missing() {
    let mut running = Running::start(settings());
    let mut client = running.client().await;
    client.send("GET / HTTP/1.1\r\nHost: cart\r\n\r\n").await;
    drop(soon(running.demands.recv()).await);
    let answer = client.answer().await;
    assert_eq!(answer.status, 503);
    assert!(
        answer
            .field("proxy-status")
            .unwrap()
            .contains("details=\"config.missing\"")
    );
}

#[tokio::test]
async fn the_sidecars_own_addresses_are_no_endpoints() {
    let upstream = Upstream::with_status(200).await;
    let admin: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let running = Running::start(Settings {
        own_addresses: vec![admin],
        ..settings()
    });
    let outbound = running.outbound();
    running
        .handle
        .apply(config(cluster(&[outbound, admin])))
        .await
        .unwrap();
    let mut client = running.client().await;
    let answer = client.get("/").await;
    assert_eq!(answer.status, 508);
    assert!(
        answer
            .field("proxy-status")
            .unwrap()
            .contains("error=proxy_loop_detected; details=\"proxy.loop\"")
    );
    let explained = running.handle.explain(question()).await.unwrap();
    assert_eq!(explained.refusal, Some((policy::Reason::ProxyLoop, 508)));
    running
        .handle
        .apply(config(cluster(&[outbound, upstream.address])))
        .await
        .unwrap();
    for _ in 0..10 {
        assert_eq!(client.get("/").await.status, 200);
    }
}

#[tokio::test]
async fn a_request_that_comes_back_through_another_sidecar_is_a_loop() {
    let (one, other) = (Running::start(settings()), {
        let instance = "web-2".into();
        Running::start(Settings {
            instance,
            ..settings()
        })
    });
    one.handle
        .apply(config(cluster(&[other.outbound()])))
        .await
        .unwrap();
    other
        .handle
        .apply(config(cluster(&[one.outbound()])))
        .await
        .unwrap();
    let answer = one.client().await.get("/").await;
    assert_eq!(answer.status, 508);
}

#[tokio::test]
async fn an_application_cannot_be_the_sidecar_itself() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    drop(taken);
    let mut settings = crate::support::worker::beside(address);
    settings.outbound = Some(address);
    let (demands, _) = tokio::sync::mpsc::channel(1);
    let (events, _) = tokio::sync::mpsc::channel(1);
    let (spans, _) = tokio::sync::mpsc::channel(1);
    let outlets = proxy::Outlets {
        demands,
        events,
        spans,
    };
    let started = proxy::start(settings, outlets);
    assert!(matches!(
        started,
        Err(proxy::StartError::AppIsListener { .. })
    ));
}

#[tokio::test]
async fn a_listener_that_cannot_be_had_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let outbound = Some(taken.local_addr().unwrap());
    let (demands, _) = tokio::sync::mpsc::channel(1);
    let (events, _) = tokio::sync::mpsc::channel(1);
    let (spans, _) = tokio::sync::mpsc::channel(1);
    let started = proxy::start(
        Settings {
            outbound,
            ..settings()
        },
        proxy::Outlets {
            demands,
            events,
            spans,
        },
    );
    assert!(matches!(started, Err(proxy::StartError::Listen { .. })));
}

#[tokio::test]
async fn an_empty_configuration_takes_a_cluster_away() {
    let upstream = Upstream::with_status(200).await;
    let mut running = Running::with(config(cluster(&[upstream.address]))).await;
    let mut client = running.client().await;
    assert_eq!(client.get("/").await.status, 200);
    running
        .handle
        .apply(Arc::new(Config::default()))
        .await
        .unwrap();
    client.send("GET / HTTP/1.1\r\nHost: cart\r\n\r\n").await;
    assert!(soon(running.demands.recv()).await.is_some());
}
