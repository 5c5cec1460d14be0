//! Rate limits on both sides: who is counted, what is refused, what the headers say.

use std::net::IpAddr;

use policy::Reason;
use policy::rate_limit::{Algorithm, Rate};
use proxy::Config;
use proxy::config::*;
use proxy::report::{Direction, Question};
use std::sync::Arc;

use crate::support::build::{cart, cluster, config, limit, policy, rules};
use crate::support::worker::beside;
use crate::support::{Client, Running, Upstream};

/// A sidecar beside `app` whose service has these limits.
pub(crate) async fn limited(app: &Upstream, rules: Vec<LimitRules>) -> Running {
    let running = Running::start(beside(app.address));
    running.handle.apply(inbound(rules)).await.unwrap();
    running
}

pub(crate) fn inbound(limits: Vec<LimitRules>) -> Arc<Config> {
    let mut config = Config::default();
    config.inbound.insert(
        cart(),
        Arc::new(Inbound {
            service: cart(),
            limits,
            backpressure: None,
            shadow: None,
            routes: Vec::new(),
            scoped: Vec::new(),
        }),
    );
    Arc::new(config)
}

fn by_user() -> Vec<Subject> {
    vec![Subject::Header("x-user".into())]
}

fn question(headers: &[(&str, &str)]) -> Question {
    let headers = headers.iter();
    Question {
        direction: Direction::Inbound,
        service: cart(),
        method: "GET".into(),
        path: "/".into(),
        headers: headers
            .map(|&(name, value)| (name.into(), value.into()))
            .collect(),
    }
}

fn get(user: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: cart\r\nX-User: {user}\r\n\r\n")
}

#[tokio::test]
async fn a_bucket_admits_its_burst_and_refuses_the_rest_with_headers() {
    let app = Upstream::with_status(200).await;
    let running = limited(&app, vec![rules(vec![limit("all", 2, Vec::new())])]).await;
    let mut client = Client::connect(running.inbound()).await;
    let first = client.get("/").await;
    assert_eq!(first.status, 200);
    assert_eq!(first.field("ratelimit-policy"), Some("\"all\";q=1;w=3600"));
    assert!(
        first
            .field("ratelimit")
            .unwrap()
            .starts_with("\"all\";r=1;t=")
    );
    assert_eq!(client.get("/").await.status, 200);
    let refused = client.get("/").await;
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.field("proxy-status"),
        Some(
            "breakwater; error=http_request_denied; \
             details=\"ratelimit.token policy=shop/cart-limits limit=all\""
        )
    );
    let wait: u64 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((3600..=3960).contains(&wait), "{wait}");
    assert!(
        refused
            .text()
            .contains("\"violated-policies\":[\"shop/cart-limits/all\"]")
    );
    assert_eq!(app.calls(), 2);
    let status = &running.handle.limits().await.unwrap()[0];
    assert_eq!(
        (status.allowed, status.limited, status.remaining),
        (2, 1, 0)
    );
}

#[tokio::test]
async fn each_user_has_a_count_of_their_own_and_those_without_share_one() {
    let app = Upstream::with_status(200).await;
    let running = limited(&app, vec![rules(vec![limit("per-user", 1, by_user())])]).await;
    let mut client = Client::connect(running.inbound()).await;
    let mut statuses = Vec::new();
    for request in [get("a"), get("b"), get("a"), get("b")] {
        statuses.push(client.ask(&request).await.status);
    }
    statuses.push(client.get("/").await.status);
    statuses.push(client.get("/").await.status);
    assert_eq!(statuses, [200, 200, 429, 429, 200, 429]);
}

#[tokio::test]
async fn a_missing_subject_skips_the_limit_or_is_refused_as_told() {
    for (on_missing, expected) in [(OnMissing::Skip, 200), (OnMissing::Refuse, 429)] {
        let app = Upstream::with_status(200).await;
        let limit = Limit {
            on_missing,
            ..limit("per-user", 1, by_user())
        };
        let running = limited(&app, vec![rules(vec![limit])]).await;
        let told = running.handle.explain(question(&[])).await.unwrap();
        let refusal = (expected == 429).then_some((::policy::Reason::RatelimitToken, 429));
        assert_eq!(told.refusal, refusal);
        let mut client = Client::connect(running.inbound()).await;
        for _ in 0..2 {
            let answer = client.get("/").await;
            assert_eq!(
                (answer.status, answer.field("retry-after")),
                (expected, None)
            );
        }
    }
}

#[tokio::test]
async fn a_refusal_by_a_narrow_limit_takes_nothing_from_a_wide_one() {
    let app = Upstream::with_status(200).await;
    let limits = vec![limit("wide", 3, Vec::new()), limit("narrow", 1, by_user())];
    let running = limited(&app, vec![rules(limits)]).await;
    let mut client = Client::connect(running.inbound()).await;
    for _ in 0..5 {
        client.ask(&get("a")).await;
    }
    let mut statuses = Vec::new();
    for user in ["b", "c", "d"] {
        statuses.push(client.ask(&get(user)).await.status);
    }
    assert_eq!(statuses, [200, 200, 429]);
}

#[tokio::test]
async fn a_limit_applies_to_what_matches_by_canonical_path() {
    let app = Upstream::with_status(200).await;
    let path = Some(PathMatch::Prefix("/cart".into()));
    let matches = vec![RequestMatch {
        path,
        ..RequestMatch::default()
    }];
    let running = limited(
        &app,
        vec![rules(vec![Limit {
            matches,
            ..limit("cart", 1, Vec::new())
        }])],
    )
    .await;
    let mut client = Client::connect(running.inbound()).await;
    let mut statuses = Vec::new();
    for path in ["/cart", "/cartoon", "/x/../cart/7", "/%63art", "/other"] {
        statuses.push(client.get(path).await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 429, 200]);
    assert!(
        app.requests()
            .iter()
            .all(|request| !request.head.contains("/x/../cart"))
    );
}

#[tokio::test]
async fn an_exempt_request_is_charged_and_never_refused() {
    let app = Upstream::with_status(200).await;
    let network: IpAddr = "127.0.0.0".parse().unwrap();
    let exempt = [Exemption::SourceIp {
        network,
        prefix: 8,
        hops: 0,
    }]
    .into();
    let rules = LimitRules {
        exempt,
        ..rules(vec![limit("all", 1, Vec::new())])
    };
    let running = limited(&app, vec![rules]).await;
    let mut client = Client::connect(running.inbound()).await;
    for _ in 0..3 {
        assert_eq!(client.get("/").await.status, 200);
    }
    let status = &running.handle.limits().await.unwrap()[0];
    assert_eq!((status.allowed, status.exempt, status.remaining), (0, 3, 0));
}

#[tokio::test]
async fn an_edit_of_the_figures_keeps_what_was_used() {
    let app = Upstream::with_status(200).await;
    let running = limited(&app, vec![rules(vec![limit("all", 2, Vec::new())])]).await;
    let mut client = Client::connect(running.inbound()).await;
    client.get("/").await;
    client.get("/").await;
    running
        .handle
        .apply(inbound(vec![rules(vec![limit("all", 3, Vec::new())])]))
        .await
        .unwrap();
    assert_eq!(client.get("/").await.status, 200);
    assert_eq!(client.get("/").await.status, 429);
    running.handle.apply(inbound(Vec::new())).await.unwrap();
    let free = client.get("/").await;
    assert_eq!((free.status, free.field("ratelimit")), (200, None));
}

#[tokio::test]
async fn callers_enforce_the_limits_they_are_given() {
    let upstream = Upstream::with_status(200).await;
    let mut cluster = cluster(&[upstream.address]);
    cluster.limits = vec![rules(vec![limit("all", 1, Vec::new())])];
    let running = Running::with(config(cluster)).await;
    let mut client = running.client().await;
    assert_eq!(client.get("/").await.status, 200);
    assert_eq!((client.get("/").await.status, upstream.calls()), (429, 1));
}

#[tokio::test]
async fn the_cost_is_read_from_a_header() {
    let app = Upstream::with_status(200).await;
    let cost = Cost::Header {
        name: "x-cost".into(),
        default: 1,
    };
    let running = limited(
        &app,
        vec![rules(vec![Limit {
            cost,
            ..limit("all", 10, Vec::new())
        }])],
    )
    .await;
    let mut client = Client::connect(running.inbound()).await;
    let costly = "GET / HTTP/1.1\r\nHost: cart\r\nX-Cost: 8\r\n\r\n";
    assert_eq!(client.ask(costly).await.status, 200);
    assert_eq!(client.ask(costly).await.status, 429);
    assert_eq!(client.get("/").await.status, 200);
}

#[tokio::test]
async fn a_cost_beyond_all_numbers_is_beyond_the_bucket() {
    let app = Upstream::with_status(200).await;
    let cost = Cost::Header {
        name: "x-cost".into(),
        default: 1,
    };
    let limit = Limit {
        cost,
        ..limit("all", 1, Vec::new())
    };
    let running = limited(&app, vec![rules(vec![limit])]).await;
    let mut client = Client::connect(running.inbound()).await;
    let costly = "GET / HTTP/1.1\r\nHost: cart\r\nX-Cost: 18446744073709551617\r\n\r\n";
    let refused = client.ask(costly).await;
    assert_eq!((refused.status, refused.field("retry-after")), (429, None));
    assert_eq!(client.get("/").await.status, 200);
}

#[tokio::test]
async fn the_ports_of_a_service_have_its_limits_together() {
    let app = Upstream::with_status(200).await;
    let mut settings = beside(app.address);
    settings.inbound.push(settings.inbound[0].clone());
    let running = Running::start(settings);
    let limit = limit("all", 2, Vec::new());
    for _ in 0..2 {
        let config = inbound(vec![rules(vec![limit.clone()])]);
        running.handle.apply(config).await.unwrap();
    }
    let mut statuses = Vec::new();
    for address in running.handle.addresses().inbound.repeat(2) {
        statuses.push(Client::connect(address).await.get("/").await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 429]);
    let told = running.handle.limits().await.unwrap();
    let told: Vec<_> = told.iter().map(|it| (it.allowed, it.limited)).collect();
    let name = "breakwater_ratelimit_decisions_total";
    assert_eq!(told, [(2, 2)]);
    assert_eq!(running.metric(name, &["allowed"]).await, 2.0);
    assert_eq!(running.metric(name, &["limited"]).await, 2.0);
}

#[tokio::test]
async fn of_the_older_form_clients_are_told_the_more_restrictive_quota() {
    let app = Upstream::answering(|request| {
        let told = request.field("x-told").unwrap();
        format!("HTTP/1.1 200 OK\r\n{told}Content-Length: 0\r\n\r\n").replace('|', "\r\n")
    })
    .await;
    let mut rules = rules(vec![limit("all", 100, Vec::new())]);
    rules.response.headers = LimitHeaders::Legacy;
    let running = limited(&app, vec![rules]).await;
    let mut client = Client::connect(running.inbound()).await;
    for (theirs, left) in [("7", "7"), ("700", "98"), ("any", "97")] {
        let told = format!("X-RateLimit-Limit: 5|X-RateLimit-Remaining: {theirs}|");
        let request = format!("GET / HTTP/1.1\r\nHost: cart\r\nX-Told: {told}\r\n\r\n");
        let answer = client.ask(&request).await;
        assert_eq!(answer.field("x-ratelimit-remaining"), Some(left));
        let head = answer.head.to_ascii_lowercase();
        assert_eq!(head.matches("x-ratelimit-remaining:").count(), 1);
    }
}

#[tokio::test]
async fn explaining_names_the_limit_that_refuses() {
    let app = Upstream::with_status(200).await;
    let needed = Limit {
        on_missing: OnMissing::Refuse,
        ..limit("needed", 1, vec![Subject::Header("x-app".into())])
    };
    let mut short = limit("short", 1, Vec::new());
    short.reason = Reason::RatelimitFixed;
    short.params.algorithm = Algorithm::FixedWindow {
        rate: Rate::new(1, 60_000_000_000),
        aligned: false,
    };
    let limits = vec![short, limit("long", 1, by_user()), needed];
    let running = limited(&app, vec![rules(limits)]).await;
    let mut client = Client::connect(running.inbound()).await;
    let request = "GET / HTTP/1.1\r\nHost: cart\r\nX-User: a\r\nX-App: a\r\n\r\n";
    assert_eq!(client.ask(request).await.status, 200);
    let refused = client.ask(request).await;
    assert!(
        refused
            .field("proxy-status")
            .unwrap()
            .contains("limit=long")
    );
    for (headers, refusing) in [
        (
            vec![("x-user", "a"), ("x-app", "a")],
            vec!["short", "long", "needed"],
        ),
        (vec![("x-user", "b")], vec!["short", "needed"]),
    ] {
        let question = Question {
            direction: Direction::Inbound,
            service: cart(),
            method: "GET".into(),
            path: "/".into(),
            headers: headers
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        };
        let told = running.handle.explain(question).await.unwrap();
        let refuses = |name: &&str| {
            let limit = format!("limit shop/cart-limits/{name}:");
            let mut steps = told.steps.iter();
            steps.any(|step| step.refuses && step.text.starts_with(&limit))
        };
        let names: Vec<_> = ["short", "long", "needed"]
            .into_iter()
            .filter(refuses)
            .collect();
        let refusal = Some((Reason::RatelimitToken, 429));
        assert_eq!((names, told.refusal), (refusing, refusal));
    }
}

#[tokio::test]
async fn explaining_tells_what_is_left_and_charges_nothing() {
    let app = Upstream::with_status(200).await;
    let running = limited(&app, vec![rules(vec![limit("per-user", 2, by_user())])]).await;
    Client::connect(running.inbound())
        .await
        .ask(&get("a"))
        .await;
    for _ in 0..2 {
        let question = question(&[("x-user", "a")]);
        let told = running.handle.explain(question).await.unwrap();
        let step = told
            .steps
            .iter()
            .find(|step| step.stage == "limits")
            .unwrap();
        assert_eq!(
            step.text,
            "limit shop/cart-limits/per-user: 1 left of 2, costs 1"
        );
        assert_eq!(
            (step.policy.clone(), told.refusal),
            (policy("cart-limits"), None)
        );
    }
}
