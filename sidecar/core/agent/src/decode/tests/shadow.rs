//! What a service would be if policies in shadow acted too.

use super::*;

fn shadowed(acting: i64, shadow: mesh::Resilience) -> mesh::Outbound {
    outbound(vec![mesh::OutboundVariant {
        shadow: Some(shadow),
        ..variant(None, acting)
    }])
}

#[test]
fn what_acts_stays_and_the_other_has_settings_of_its_own() {
    let found = cluster(&shadowed(
        3,
        mesh::Resilience {
            timeouts: Some(timeouts(1)),
            ..Default::default()
        },
    ));
    let shadow = found.shadow.as_ref().unwrap();
    assert_eq!((request_seconds(&found), request_seconds(shadow)), (3, 1));
    assert!(shadow.ports.is_empty());
    assert!(shadow.shadow.is_none());
}

#[test]
fn who_would_choose_by_other_rules_has_endpoints_of_its_own() {
    let balancing = mesh::LoadBalancing {
        policy: mesh::BalancingPolicy::RoundRobin.into(),
        slow_start: seconds(30),
        ..Default::default()
    };
    let found = cluster(&shadowed(
        3,
        mesh::Resilience {
            load_balancing: Some(balancing),
            ..Default::default()
        },
    ));
    let shadow = found.shadow.as_ref().unwrap();
    assert!(!found.ports.is_empty());
    assert_eq!(shadow.ports, found.ports);
}

#[test]
fn in_shadow_no_bulkhead_is_shared() {
    let bulkhead = mesh::Bulkhead {
        max_concurrent: Some(1),
        shared_name: "shop/all".to_owned(),
        ..Default::default()
    };
    let found = cluster(&shadowed(
        3,
        mesh::Resilience {
            bulkhead: Some(bulkhead),
            ..Default::default()
        },
    ));
    let shadow = found.shadow.as_ref().unwrap();
    assert_eq!(shadow.bulkhead.as_ref().unwrap().params.shared, None);
}

#[test]
fn a_fault_in_shadow_names_the_path_of_its_field() {
    let wire = shadowed(
        3,
        mesh::Resilience {
            timeouts: Some(timeouts(-1)),
            ..Default::default()
        },
    );
    let path = field(Kind::Outbound, &wire);
    assert_eq!(path, "variants[0].shadow.timeouts.request");
}
