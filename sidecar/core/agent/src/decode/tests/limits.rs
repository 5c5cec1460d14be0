//! Kinds of limits: what each becomes, and what is refused.

use policy::rate_limit::Algorithm;
use policy::rate_limit::strain::{Resource, Thresholds};
use policy::{Percent, Reason};
use proxy::config::{Follows, LimitRules, PathMatch, Subject};

use super::*;

fn rules_of(limit: mesh::Limit) -> LimitRules {
    let wire = mesh::Inbound {
        service: cart(),
        rate_limits: vec![rules(limit)],
        ..Default::default()
    };
    match decoded(Kind::Inbound, &wire) {
        Ok(Decoded::Inbound(inbound)) => inbound.limits[0].clone(),
        other => panic!("expected limits, found {other:?}"),
    }
}

fn bare() -> mesh::Limit {
    mesh::Limit {
        name: "one".to_owned(),
        max_keys: 16,
        ..Default::default()
    }
}

#[test]
fn what_is_in_flight_is_a_limit_of_requests() {
    let rules = rules_of(mesh::Limit {
        concurrency: 7,
        ..bare()
    });
    let params = &rules.limits[0].params;
    assert!(matches!(params.algorithm, Algorithm::Concurrency(_)));
    assert_eq!(params.algorithm.quota(), 7);
    assert_eq!(rules.limits[0].reason, Reason::RatelimitConcurrency);
}

#[test]
fn each_figure_of_connections_is_a_limit_of_its_own() {
    let connections = Some(mesh::ConnectionLimit {
        concurrent: Some(3),
        per_second: Some(5),
    });
    let rules = rules_of(mesh::Limit {
        connections,
        ..bare()
    });
    let told = rules
        .connections
        .iter()
        .map(|limit| (&*limit.name, limit.params.algorithm.quota(), limit.reason));
    let expected = [
        ("one.concurrent", 3, Reason::RatelimitConnections),
        ("one.perSecond", 5, Reason::RatelimitConnections),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn bytes_are_limited_in_the_directions_that_are_said() {
    let of = |direction: mesh::BandwidthDirection| {
        let bandwidth = Some(mesh::BandwidthLimit {
            bytes_per_second: 1024,
            direction: direction.into(),
            per: mesh::BandwidthShare::Client.into(),
        });
        let rules = rules_of(mesh::Limit {
            bandwidth,
            ..bare()
        });
        assert!(
            rules
                .uploads
                .iter()
                .all(|limit| limit.by == [Subject::SourceIp { hops: 0 }])
        );
        let names = |limits: &[proxy::config::Limit]| {
            let names = limits.iter().map(|limit| limit.name.to_string());
            names.collect::<Vec<_>>()
        };
        (names(&rules.uploads), names(&rules.downloads))
    };
    let both = (
        vec!["one.request".to_owned()],
        vec!["one.response".to_owned()],
    );
    assert_eq!(of(mesh::BandwidthDirection::Both), both);
    let request = (vec!["one".to_owned()], Vec::new());
    assert_eq!(of(mesh::BandwidthDirection::Request), request);
}

#[test]
fn a_limit_of_nothing_known_here_is_refused() {
    let wire = mesh::Inbound {
        service: cart(),
        rate_limits: vec![rules(bare())],
        ..Default::default()
    };
    assert_eq!(field(Kind::Inbound, &wire), "rateLimits[0].limits[0]");
}

#[test]
fn a_limit_of_resources_watches_what_it_names() {
    let thresholds = |enter, exit| Some(mesh::ResourceThresholds { enter, exit });
    let resource = Some(mesh::ResourceLimit {
        memory_percent: thresholds(90.0, 80.5),
        pressure: thresholds(40.0, 40.0),
        ..Default::default()
    });
    let rules = rules_of(mesh::Limit { resource, ..bare() });
    let expected = |enter, exit| Thresholds { enter, exit };
    assert_eq!(
        rules.resources[0].thresholds,
        [
            (
                Resource::Memory,
                expected(Percent::new(90), Percent::from_millionths(805_000))
            ),
            (
                Resource::Pressure,
                expected(Percent::new(40), Percent::new(40))
            ),
        ]
    );
    assert!(rules.limits.is_empty());
}

#[test]
fn a_figure_follows_one_target() {
    let followed = |target: mesh::AdaptiveTarget| {
        let adaptive = Some(mesh::AdaptiveLimit {
            min: 1,
            max: 9,
            target: Some(target),
        });
        let rules = rules_of(mesh::Limit {
            concurrency: 7,
            adaptive,
            ..bare()
        });
        let adaptive = rules.limits[0].adaptive.unwrap();
        (adaptive.follows, adaptive.params.target)
    };
    let cpu = followed(mesh::AdaptiveTarget {
        cpu_percent: Some(62.5),
        ..Default::default()
    });
    assert_eq!(cpu, (Follows::Cpu, 625_000));
    let queue = followed(mesh::AdaptiveTarget {
        queue_percent: Some(50.0),
        ..Default::default()
    });
    assert_eq!(queue, (Follows::Queue, 500_000));
}

#[test]
fn a_path_is_compared_in_the_form_of_those_that_come() {
    let of = |exact: &str, prefix: &str| mesh::RequestMatch {
        path: Some(mesh::PathMatch {
            exact: exact.into(),
            prefix: prefix.into(),
        }),
        ..Default::default()
    };
    let rules = rules_of(mesh::Limit {
        concurrency: 7,
        r#match: vec![of("/%7Ecaf%c3%a9", ""), of("", "/a/../%63art")],
        ..bare()
    });
    let paths = rules.limits[0].matches.iter().map(|one| one.path.clone());
    let expected = [
        PathMatch::Exact("/~caf%C3%A9".into()),
        PathMatch::Prefix("/cart".into()),
    ];
    assert_eq!(paths.flatten().collect::<Vec<_>>(), expected);
}
