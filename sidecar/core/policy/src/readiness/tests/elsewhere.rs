//! Why a call that went somewhere would have gone elsewhere.

use super::algorithms::{Placed, members};
use super::*;
use crate::balancer::Algorithm;
use crate::instance_groups::Overflow;

fn placed(group: usize) -> Placed {
    let mut placed = members(1).remove(0);
    placed.group = Some(group);
    placed
}

fn why(members: &[Placed], layout: Layout, ask: &Ask) -> Vec<Option<Elsewhere>> {
    let mut readiness = Readiness::new(Params::default());
    readiness.reconfigure(Params::default(), layout);
    readiness.refresh(members, SECOND);
    let balancer = Balancer::default();
    let judge = |endpoint| readiness.elsewhere(members, &balancer, ask, endpoint);
    (0..members.len() as u32).map(judge).collect()
}

#[test]
fn where_load_decides_a_call_might_have_come_to_anybody() {
    let members = [placed(0), placed(0)];
    assert_eq!(
        why(&members, Layout::default(), &Ask::default()),
        [None, None]
    );
}

#[test]
fn an_open_breaker_sends_a_call_elsewhere() {
    let mut members = endpoints(3);
    open(&mut members[1], 0);
    let mut readiness = Readiness::new(Params::default());
    readiness.refresh(&members, SECOND);
    let balancer = Balancer::default();
    let judge = |at| readiness.elsewhere(&members, &balancer, &Ask::default(), at);
    assert_eq!([0, 1].map(judge), [None, Some(Elsewhere::Breaker)]);
}

#[test]
fn so_do_probes_that_failed() {
    let members = [
        Placed {
            is_unhealthy: true,
            ..placed(0)
        },
        placed(0),
    ];
    let found = why(&members, Layout::default(), &Ask::default());
    assert_eq!(found, [Some(Elsewhere::Unhealthy), None]);
}

#[test]
fn so_does_another_group() {
    let members = [placed(0), placed(1)];
    let layout = Layout {
        groups: 2,
        overflow: Overflow::Never,
        ..Layout::default()
    };
    let ask = Ask {
        group: Some(0),
        ..Ask::default()
    };
    let found = why(&members, layout, &ask);
    assert_eq!(found, [None, Some(Elsewhere::Group)]);
}

#[test]
fn so_does_a_far_zone_while_the_near_one_carries_everything() {
    let near = Placed {
        is_near: true,
        ..placed(0)
    };
    let layout = Layout {
        prefers_near: true,
        ..Layout::default()
    };
    let members = [near, placed(0)];
    let found = why(&members, layout, &Ask::default());
    assert_eq!(found, [None, Some(Elsewhere::Zone)]);
}

#[test]
fn a_key_belongs_to_one_endpoint_and_without_one_to_anybody() {
    let members = endpoints(4);
    let mut readiness = Readiness::new(Params::default());
    readiness.refresh(&members, SECOND);
    let names = ["a", "b", "c", "d"];
    let balancer = Balancer::new(Algorithm::Maglev, names.into_iter().map(|name| (name, 1)));
    let judge = |key| {
        let ask = Ask {
            key,
            ..Ask::default()
        };
        (0..4)
            .filter(|at| {
                readiness
                    .elsewhere(&members, &balancer, &ask, *at)
                    .is_none()
            })
            .count()
    };
    assert_eq!([judge(Some(42)), judge(None)], [1, 4]);
}
