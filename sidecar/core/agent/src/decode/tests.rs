//! Resources that are taken, and the field at fault of those that are not.

mod admission;
mod backpressure;
mod fallback;
mod fault;
mod limits;
mod routes;
mod shadow;

use std::net::{IpAddr, Ipv4Addr};

use policy::Criticality;
use policy::Percent;
use policy::balancer::Algorithm;
use prost_types::Duration;
use proxy::config::{Balancing, HashOn};

use super::*;
use crate::resource::Id;

fn identity() -> Identity {
    Identity::new([ServiceName::new("shop", "storefront")])
}

fn resource(kind: Kind, body: &impl Message) -> Resource {
    let body = body.encode_to_vec();
    Resource {
        id: Id::new(kind, "shop/cart"),
        version: version(&body),
        body,
    }
}

fn decoded(kind: Kind, body: &impl Message) -> Result<Decoded, (String, String)> {
    decode(&resource(kind, body), &identity())
        .map_err(|rejection| (rejection.field, rejection.reason))
}

fn cluster(outbound: &mesh::Outbound) -> Arc<Cluster> {
    match decoded(Kind::Outbound, outbound) {
        Ok(Decoded::Outbound(cluster)) => cluster,
        other => panic!("expected a cluster, found {other:?}"),
    }
}

fn field(kind: Kind, body: &impl Message) -> String {
    decoded(kind, body).unwrap_err().0
}

fn cart() -> Option<mesh::ServiceName> {
    Some(mesh::ServiceName {
        namespace: "shop".to_owned(),
        name: "cart".to_owned(),
    })
}

fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}

fn timeouts(request: i64) -> mesh::Timeouts {
    mesh::Timeouts {
        connect: seconds(1),
        request: seconds(request),
        idle: seconds(300),
        ..Default::default()
    }
}

fn variant(caller: Option<mesh::CallerMatch>, request: i64) -> mesh::OutboundVariant {
    let resilience = mesh::Resilience {
        timeouts: Some(timeouts(request)),
        ..Default::default()
    };
    mesh::OutboundVariant {
        caller,
        resilience: Some(resilience),
        ..Default::default()
    }
}

fn outlier_detection() -> mesh::OutlierDetection {
    mesh::OutlierDetection {
        interval: seconds(10),
        connect_failures: Some(2),
        latency: Some(mesh::LatencyDetector {
            factor: 3.0,
            sweeps: 3,
            minimum_samples: 20,
        }),
        ejection: Some(mesh::OutlierEjection {
            base: seconds(30),
            max: seconds(300),
        }),
        max_ejected_percent: 25.0,
        panic_threshold_percent: 40.0,
        ..Default::default()
    }
}

fn with_outliers(wire: mesh::OutlierDetection) -> mesh::Outbound {
    let mut any = variant(None, 9);
    any.resilience.as_mut().unwrap().outlier_detection = Some(wire);
    outbound(vec![any])
}

#[test]
fn detectors_that_are_not_named_are_off() {
    let decoded = cluster(&with_outliers(outlier_detection()));
    let outliers = &decoded.outliers.as_ref().unwrap().params;
    assert_eq!(outliers.params.connect_failures, Some(2));
    assert_eq!(outliers.params.consecutive_failures, None);
    assert_eq!(outliers.params.success_rate, None);
    assert_eq!(outliers.params.max_ns, 300_000_000_000);
    assert_eq!(outliers.readiness.max_ejected, Percent::new(25));
    assert_eq!(outliers.readiness.panic_threshold, Percent::new(40));
}

#[test]
fn a_share_too_small_to_count_is_not_none_at_all() {
    let rules = mesh::FailurePercentageDetector {
        threshold: 0.000_01,
        minimum_endpoints: 5,
        minimum_requests: 50,
    };
    let decoded = cluster(&with_outliers(mesh::OutlierDetection {
        failure_percentage: Some(rules),
        ..outlier_detection()
    }));
    let params = decoded.outliers.as_ref().unwrap().params.params;
    let threshold = params.failure_percentage.unwrap().threshold;
    assert_eq!(threshold, Percent::from_millionths(1));
    assert!(!threshold.is_reached_by(0, 50));
}

#[test]
fn a_detector_that_would_eject_everybody_is_refused() {
    let mut wire = outlier_detection();
    wire.latency.as_mut().unwrap().factor = 0.0;
    let path = "variants[0].resilience.outlierDetection.latency.factor";
    assert_eq!(field(Kind::Outbound, &with_outliers(wire)), path);
}

fn balanced(wire: mesh::LoadBalancing) -> Balancing {
    let mut any = variant(None, 9);
    any.resilience.as_mut().unwrap().load_balancing = Some(wire);
    let block = cluster(&outbound(vec![any])).balancing.clone();
    block.unwrap().params
}

#[test]
fn what_is_hashed_is_read_and_headers_are_in_lower_case() {
    let wire = mesh::LoadBalancing {
        policy: mesh::BalancingPolicy::RingHash.into(),
        hash_on: Some(mesh::HashOn {
            header: "X-User".to_owned(),
            ..Default::default()
        }),
        slow_start: seconds(30),
        locality: mesh::Locality::Ignore.into(),
    };
    let expected = Balancing {
        algorithm: Algorithm::RingHash,
        hash_on: Some(HashOn::Header("x-user".into())),
        slow_start: std::time::Duration::from_secs(30),
        prefers_near: false,
    };
    assert_eq!(balanced(wire), expected);
}

#[test]
fn endpoints_of_the_own_zone_are_near() {
    let mut wire = endpoint("cart-1", "10.0.0.1", mesh::Health::Healthy);
    let zone = "topology.kubernetes.io/zone".to_owned();
    wire.labels.insert(zone.clone(), "a".to_owned());
    let body = mesh::Endpoints {
        service: cart(),
        endpoints: vec![wire],
        ..Default::default()
    };
    let is_near = |own: &str| {
        let labels = [(zone.clone(), own.to_owned())].into();
        let identity = identity().labelled(&labels);
        let decoded = decode(&resource(Kind::Endpoints, &body), &identity);
        let Ok(Decoded::Endpoints(addresses)) = decoded else {
            panic!("expected endpoints, found {decoded:?}");
        };
        let cluster = cluster(&outbound(vec![variant(None, 9)]));
        endpoints_of(&cluster, &addresses, |_| &[])[0].is_near
    };
    assert!(is_near("a"));
    assert!(!is_near("b"));
}

fn group(name: &str) -> (String, mesh::InstanceGroup) {
    let match_labels = [("pool".to_owned(), name.to_owned())].into();
    (name.to_owned(), mesh::InstanceGroup { match_labels })
}

fn assign(group: &str) -> mesh::GroupAssignment {
    mesh::GroupAssignment {
        group: group.to_owned(),
        criticality: "critical".to_owned(),
        ..Default::default()
    }
}

fn grouped(assigned: &[&str]) -> mesh::Outbound {
    let mut any = variant(None, 9);
    any.resilience.as_mut().unwrap().instance_groups = Some(mesh::InstanceGroups {
        groups: ["batch", "bulk", "critical"].map(group).into(),
        assign: assigned.iter().copied().map(assign).collect(),
        overflow: mesh::GroupOverflow::WhenBelow.into(),
        overflow_below_percent: 20.0,
    });
    outbound(vec![any])
}

#[test]
fn endpoints_belong_to_the_first_group_whose_labels_they_have() {
    let mut wire = endpoint("cart-1", "10.0.0.1", mesh::Health::Healthy);
    wire.labels.insert("pool".to_owned(), "bulk".to_owned());
    let body = mesh::Endpoints {
        service: cart(),
        endpoints: vec![wire, endpoint("cart-2", "10.0.0.2", mesh::Health::Healthy)],
        ..Default::default()
    };
    let Ok(Decoded::Endpoints(addresses)) = decoded(Kind::Endpoints, &body) else {
        panic!("expected endpoints");
    };
    let cluster = cluster(&grouped(&["critical"]));
    let found = endpoints_of(&cluster, &addresses, |_| &[]);
    let groups: Vec<_> = found.iter().map(|endpoint| endpoint.group).collect();
    assert_eq!(groups, [Some(2), None]);
    let assigned = &cluster.groups.as_ref().unwrap().params.assign[0];
    assert_eq!(
        (assigned.group, assigned.criticality),
        (0, Some(Criticality::Critical))
    );
}

#[test]
fn groups_spill_in_the_order_in_which_they_are_assigned_and_then_by_name() {
    let cluster = cluster(&grouped(&["critical", "bulk", "critical"]));
    let params = &cluster.groups.as_ref().unwrap().params;
    let names: Vec<_> = params.groups.iter().map(|group| &*group.name).collect();
    assert_eq!(names, ["critical", "bulk", "batch"]);
    let assigned: Vec<_> = params.assign.iter().map(|each| each.group).collect();
    assert_eq!(assigned, [0, 1, 0]);
}

#[test]
fn an_assignment_to_no_group_is_refused() {
    let path = "variants[0].resilience.instanceGroups.assign[0].group";
    assert_eq!(field(Kind::Outbound, &grouped(&["gold"])), path);
}

fn caller(namespace: &str, service: &str, account: &str) -> Option<mesh::CallerMatch> {
    let [namespace, service, service_account] = [namespace, service, account].map(str::to_owned);
    Some(mesh::CallerMatch {
        namespace,
        service,
        service_account,
    })
}

fn outbound(variants: Vec<mesh::OutboundVariant>) -> mesh::Outbound {
    let ports = vec![mesh::ServicePort {
        name: "http".to_owned(),
        port: 80,
        protocol: 0,
    }];
    mesh::Outbound {
        service: cart(),
        ports,
        variants,
        ..Default::default()
    }
}

fn request_seconds(cluster: &Cluster) -> u64 {
    cluster
        .timeouts
        .as_ref()
        .unwrap()
        .params
        .request
        .unwrap()
        .as_secs()
}

#[test]
fn a_body_that_is_not_its_version_is_refused_whole() {
    let mut resource = resource(Kind::Outbound, &outbound(vec![variant(None, 1)]));
    resource.body.push(0);
    assert_eq!(decode(&resource, &identity()).unwrap_err().field, "");
}

#[test]
fn a_body_that_is_no_message_is_refused_whole() {
    let body = vec![0xff; 8];
    let resource = Resource {
        id: Id::new(Kind::Mesh, "default"),
        version: version(&body),
        body,
    };
    assert!(
        decode(&resource, &identity())
            .unwrap_err()
            .reason
            .contains("encoded message")
    );
}

#[test]
fn the_first_variant_that_speaks_of_us_is_taken() {
    let variants = vec![
        variant(caller("shop", "admin", ""), 1),
        variant(caller("shop", "storefront", "deployer"), 2),
        variant(caller("shop", "storefront", ""), 3),
        variant(caller("shop", "", ""), 4),
        variant(None, 5),
    ];
    assert_eq!(request_seconds(&cluster(&outbound(variants.clone()))), 3);
    let deployer = identity().acting_as(Some("deployer".to_owned()));
    let of_account = decode(
        &resource(Kind::Outbound, &outbound(variants.clone())),
        &deployer,
    );
    assert!(matches!(of_account, Ok(Decoded::Outbound(cluster)) if request_seconds(&cluster) == 2));
    let elsewhere = Identity::new([ServiceName::new("bank", "storefront")]);
    let decoded = decode(&resource(Kind::Outbound, &outbound(variants)), &elsewhere);
    assert!(matches!(decoded, Ok(Decoded::Outbound(cluster)) if request_seconds(&cluster) == 5));
}

#[test]
fn a_block_is_attributed_to_its_most_specific_policy() {
    let origin = |path: &str, name: &str, level: &str| mesh::FieldOrigin {
        path: path.to_owned(),
        policy: Some(mesh::PolicyRef {
            name: name.to_owned(),
            ..Default::default()
        }),
        level: level.to_owned(),
    };
    let mut variant = variant(None, 1);
    variant.origins = vec![
        origin("timeouts.connect", "everybody", "Mesh"),
        origin("timeouts.request", "cart", "Service"),
        origin("timeoutsOfAnother", "other", "Service"),
    ];
    let cluster = cluster(&outbound(vec![variant]));
    assert_eq!(
        cluster
            .timeouts
            .as_ref()
            .unwrap()
            .policy
            .as_ref()
            .unwrap()
            .name
            .as_ref(),
        "cart"
    );
}

#[test]
fn a_fault_names_the_path_of_its_field() {
    let mut wire = variant(None, 1);
    let window = Some(mesh::BreakerWindow {
        size: 0,
        minimum_requests: 1,
        ..Default::default()
    });
    let service = Some(mesh::BreakerRules {
        window,
        ..Default::default()
    });
    wire.resilience.as_mut().unwrap().breaker = Some(mesh::Breaker {
        service,
        endpoint: None,
    });
    let path = "variants[0].resilience.breaker.service.window.size";
    assert_eq!(field(Kind::Outbound, &outbound(vec![wire])), path);
}

#[test]
fn a_negative_duration_is_refused() {
    let wire = variant(None, -1);
    assert_eq!(
        field(Kind::Outbound, &outbound(vec![wire])),
        "variants[0].resilience.timeouts.request"
    );
}

#[test]
fn a_value_of_a_later_version_is_refused() {
    let access_log = Some(mesh::AccessLog {
        mode: 99,
        sample_percent: 1.0,
    });
    let settings = mesh::MeshSettings {
        trust_domain: String::new(),
        access_log,
        ..Default::default()
    };
    assert_eq!(field(Kind::Mesh, &settings), "accessLog.mode");
}

#[test]
fn a_share_of_traces_that_is_none_is_refused() {
    let settings = mesh::MeshSettings {
        tracing: Some(mesh::Tracing {
            sampling_percent: 101.0,
        }),
        ..Default::default()
    };
    assert_eq!(field(Kind::Mesh, &settings), "tracing.samplingPercent");
}

fn endpoint(instance: &str, address: &str, health: mesh::Health) -> mesh::Endpoint {
    let ports = [("http".to_owned(), 15006)].into();
    let (instance, address) = (instance.to_owned(), address.to_owned());
    mesh::Endpoint {
        instance,
        address,
        ports,
        health: health.into(),
        ..Default::default()
    }
}

/// The addresses of the first port of the cluster, given where each host leads.
fn called(
    endpoints: Vec<mesh::Endpoint>,
    resolution: mesh::Resolution,
    resolve: fn(&str) -> &'static [IpAddr],
) -> Vec<String> {
    let wire = mesh::Endpoints {
        service: cart(),
        endpoints,
        resolution: resolution.into(),
    };
    let Ok(Decoded::Endpoints(addresses)) = decoded(Kind::Endpoints, &wire) else {
        panic!("expected endpoints")
    };
    let cluster = cluster(&outbound(vec![variant(None, 1)]));
    endpoints_of(&cluster, &addresses, resolve)
        .iter()
        .map(|endpoint| endpoint.addresses[0].unwrap().to_string())
        .collect()
}

fn nowhere(_: &str) -> &'static [IpAddr] {
    &[]
}

#[test]
fn only_endpoints_that_may_be_called_reach_the_cluster() {
    let mut other_port = endpoint("cart-2", "10.0.0.3", mesh::Health::Healthy);
    other_port.ports = [("grpc".to_owned(), 15007)].into();
    let endpoints = vec![
        endpoint("cart-0", "10.0.0.1", mesh::Health::Unspecified),
        endpoint("cart-1", "10.0.0.2", mesh::Health::Unhealthy),
        other_port,
    ];
    let called = called(endpoints, mesh::Resolution::Static, nowhere);
    assert_eq!(called, ["10.0.0.1:15006"]);
}

#[test]
fn where_no_endpoint_is_healthy_all_are_called() {
    let endpoints = vec![
        endpoint("cart-0", "10.0.0.1", mesh::Health::Unhealthy),
        endpoint("cart-1", "10.0.0.2", mesh::Health::Unhealthy),
    ];
    let called = called(endpoints, mesh::Resolution::Static, nowhere);
    assert_eq!(called, ["10.0.0.1:15006", "10.0.0.2:15006"]);
}

#[test]
fn every_address_of_a_host_is_an_endpoint_once() {
    let resolve: fn(&str) -> &'static [IpAddr] = |host| {
        const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
        match host {
            "one.example" => &[FIRST, SECOND],
            _ => &[SECOND],
        }
    };
    let endpoints = vec![
        endpoint("a", "one.example", mesh::Health::Healthy),
        endpoint("b", "two.example", mesh::Health::Healthy),
        endpoint("c", "10.0.0.9", mesh::Health::Healthy),
    ];
    let called = called(endpoints, mesh::Resolution::Dns, resolve);
    assert_eq!(
        called,
        ["10.0.0.1:15006", "10.0.0.2:15006", "10.0.0.9:15006"]
    );
}

#[test]
fn an_endpoint_without_an_ip_address_is_refused_where_names_are_not_resolved() {
    let endpoints = vec![endpoint("cart-0", "cart.example", mesh::Health::Healthy)];
    let wire = mesh::Endpoints {
        service: cart(),
        endpoints,
        ..Default::default()
    };
    assert_eq!(field(Kind::Endpoints, &wire), "endpoints[0].address");
}

fn rules(limit: mesh::Limit) -> mesh::RateLimitRules {
    let response = Some(mesh::LimitResponse {
        status: 429,
        ..Default::default()
    });
    let policy = Some(mesh::PolicyRef {
        name: "cart".to_owned(),
        ..Default::default()
    });
    mesh::RateLimitRules {
        policy,
        limits: vec![limit],
        response,
        ..Default::default()
    }
}

fn limit() -> mesh::Limit {
    let by = vec![mesh::LimitSubject {
        header: "X-Client".to_owned(),
        ..Default::default()
    }];
    mesh::Limit {
        name: "each".to_owned(),
        by,
        requests: 10,
        per: seconds(1),
        max_keys: 16,
        ..Default::default()
    }
}

#[test]
fn names_of_headers_are_in_lower_case() {
    let wire = mesh::Inbound {
        service: cart(),
        rate_limits: vec![rules(limit())],
        ..Default::default()
    };
    let Ok(Decoded::Inbound(inbound)) = decoded(Kind::Inbound, &wire) else {
        panic!("expected limits")
    };
    assert_eq!(
        inbound.limits[0].limits[0].by,
        [proxy::config::Subject::Header("x-client".into())]
    );
}

#[test]
fn a_subject_of_a_later_version_is_refused() {
    let by = vec![mesh::LimitSubject::default()];
    let wire = mesh::Inbound {
        service: cart(),
        rate_limits: vec![rules(mesh::Limit { by, ..limit() })],
        ..Default::default()
    };
    assert_eq!(field(Kind::Inbound, &wire), "rateLimits[0].limits[0].by[0]");
}

#[test]
fn limits_for_some_callers_count_nobody_who_is_not_verified() {
    let from = vec![mesh::CallerMatch {
        namespace: "shop".to_owned(),
        ..Default::default()
    }];
    let wire = mesh::Inbound {
        service: cart(),
        rate_limits: vec![mesh::RateLimitRules {
            from,
            ..rules(limit())
        }],
        ..Default::default()
    };
    assert!(
        matches!(decoded(Kind::Inbound, &wire), Ok(Decoded::Inbound(inbound)) if inbound.limits.is_empty())
    );
}

#[test]
fn a_block_of_addresses_has_at_most_the_addresss_bits() {
    let exempt = |block: &str| {
        let exempt = vec![mesh::Exemption {
            source_ip: block.to_owned(),
            ..Default::default()
        }];
        mesh::Inbound {
            service: cart(),
            rate_limits: vec![mesh::RateLimitRules {
                exempt,
                ..rules(limit())
            }],
            ..Default::default()
        }
    };
    assert!(decoded(Kind::Inbound, &exempt("10.0.0.0/8")).is_ok());
    assert!(decoded(Kind::Inbound, &exempt("fd00::1")).is_ok());
    assert_eq!(
        field(Kind::Inbound, &exempt("10.0.0.0/33")),
        "rateLimits[0].exempt[0].sourceIp"
    );
}
