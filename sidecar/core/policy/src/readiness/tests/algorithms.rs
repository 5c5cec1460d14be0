//! Whom each algorithm chooses, zones and groups included.

use super::{Ask, Endpoint, Readiness, SECOND, eject};
use crate::Percent;
use crate::balancer::{Algorithm, Balancer, Load, SlowStart};
use crate::breaker::Breaker;
use crate::instance_groups::{Overflow, Size};
use crate::outlier;
use crate::readiness::{Layout, Member, Params};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// An endpoint without a breaker, in a zone and a group.
pub(super) struct Placed {
    pub(super) endpoint: Endpoint,
    pub(super) is_near: bool,
    pub(super) group: Option<usize>,
    pub(super) slow_start: Option<SlowStart>,
    pub(super) is_unhealthy: bool,
    pub(super) weight: u32,
}

impl Member for Placed {
    fn breaker(&self) -> Option<&Breaker> {
        None
    }

    fn breaker_mut(&mut self) -> Option<&mut Breaker> {
        None
    }

    fn load(&self) -> &Load {
        &self.endpoint.load
    }

    fn outlier(&self) -> Option<&outlier::Record> {
        Some(&self.endpoint.record)
    }

    fn share(&self, now_ns: u64) -> Percent {
        self.slow_start
            .map_or(Percent::new(100), |start| start.share(now_ns))
    }

    fn weight(&self) -> u32 {
        self.weight
    }

    fn is_unhealthy(&self) -> bool {
        self.is_unhealthy
    }

    fn is_near(&self) -> bool {
        self.is_near
    }

    fn group(&self) -> Option<usize> {
        self.group
    }
}

pub(super) fn members(count: usize) -> Vec<Placed> {
    let placed = |endpoint| Placed {
        endpoint,
        is_near: false,
        group: None,
        slow_start: None,
        is_unhealthy: false,
        weight: 1,
    };
    super::endpoints(count).into_iter().map(placed).collect()
}

fn balancer(algorithm: Algorithm, count: usize) -> Balancer {
    Balancer::new(algorithm, NAMES[..count].iter().map(|name| (*name, 1)))
}

/// Nobody too many, and nobody kept.
fn readiness(layout: Layout, members: &[Placed]) -> Readiness {
    let mut readiness = Readiness::new(Params {
        max_ejected: Percent::new(100),
        panic_threshold: Percent::new(0),
    });
    readiness.reconfigure(readiness.params, layout);
    readiness.refresh(members, 0);
    readiness
}

fn draws(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(|step| step.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// How often each is picked.
fn picks(
    readiness: &Readiness,
    members: &mut [Placed],
    balancer: &mut Balancer,
    ask: Ask,
) -> Vec<u32> {
    let mut picks = vec![0; members.len()];
    for draw in draws(6_000) {
        let ask = Ask { draw, ..ask };
        let picked = readiness.pick(members, balancer, &ask).unwrap();
        picks[picked.endpoint as usize] += 1;
    }
    picks
}

#[test]
fn round_robin_is_exact_and_goes_on_where_it_was_when_one_leaves() {
    let mut members = members(4);
    let mut turns = balancer(Algorithm::RoundRobin, 4);
    let mut readiness = readiness(Layout::default(), &members);
    let mut next = |readiness: &Readiness, members: &mut [Placed]| {
        let picked = readiness.pick(members, &mut turns, &Ask::default());
        picked.unwrap().endpoint
    };
    let found: Vec<u32> = (0..6).map(|_| next(&readiness, &mut members)).collect();
    assert_eq!(found, [0, 1, 2, 3, 0, 1]);
    eject(&mut members[2].endpoint, 0);
    readiness.invalidate();
    readiness.refresh(&members, 1);
    let found: Vec<u32> = (0..4).map(|_| next(&readiness, &mut members)).collect();
    assert_eq!(found, [3, 0, 1, 3]);
}

#[test]
fn round_robin_skips_the_endpoint_just_tried() {
    let mut members = members(3);
    let mut turns = balancer(Algorithm::RoundRobin, 3);
    let readiness = readiness(Layout::default(), &members);
    let ask = Ask {
        avoid: Some(0),
        ..Ask::default()
    };
    let picked = readiness.pick(&mut members, &mut turns, &ask).unwrap();
    assert_eq!(picked.endpoint, 1);
}

#[test]
fn random_is_fair() {
    let mut members = members(3);
    let readiness = readiness(Layout::default(), &members);
    let found = picks(
        &readiness,
        &mut members,
        &mut balancer(Algorithm::Random, 3),
        Ask::default(),
    );
    assert!(
        found.iter().all(|count| count.abs_diff(2_000) < 200),
        "{found:?}"
    );
}

#[test]
fn the_least_loaded_of_two_is_taken_whatever_its_latency() {
    let mut members = members(2);
    members[0].endpoint.load.begin();
    members[1].endpoint.load.begin();
    members[1].endpoint.load.end(300 * SECOND, 0);
    let readiness = readiness(Layout::default(), &members);
    let mut least = balancer(Algorithm::LeastRequest, 2);
    let found = picks(&readiness, &mut members, &mut least, Ask::default());
    assert_eq!(found, [0, 6_000]);
}

#[test]
fn a_key_sticks_and_moves_only_while_its_endpoint_is_out() {
    for algorithm in [Algorithm::RingHash, Algorithm::Maglev] {
        let mut members = members(5);
        let mut hashed = balancer(algorithm, 5);
        let mut readiness = readiness(Layout::default(), &members);
        let mut owners = |readiness: &Readiness, members: &mut [Placed]| -> Vec<u32> {
            let keys = draws(500).map(Some);
            keys.map(|key| {
                let ask = Ask {
                    key,
                    ..Ask::default()
                };
                readiness.pick(members, &mut hashed, &ask).unwrap().endpoint
            })
            .collect()
        };
        let before = owners(&readiness, &mut members);
        assert_eq!(before, owners(&readiness, &mut members));
        eject(&mut members[3].endpoint, 0);
        readiness.invalidate();
        readiness.refresh(&members, 1);
        let after = owners(&readiness, &mut members);
        for (one, other) in before.iter().zip(&after) {
            assert!(*one == 3 && *other != 3 || one == other);
        }
    }
}

#[test]
fn the_unhealthy_are_left_out_unless_nobody_else_is_there() {
    let mut members = members(4);
    members[1].is_unhealthy = true;
    eject(&mut members[2].endpoint, 0);
    let mut strict = Readiness::new(Params {
        max_ejected: Percent::new(10),
        panic_threshold: Percent::new(60),
    });
    strict.refresh(&members, 1);
    assert_eq!(strict.ready(None), [0, 3]); // one of three judged may go, and two of three are enough
    for member in &mut members {
        member.is_unhealthy = true;
    }
    strict.invalidate();
    strict.refresh(&members, 1);
    assert_eq!(strict.ready(None), [0, 1, 3]);
}

#[test]
fn without_a_key_hashing_is_random() {
    let mut members = members(3);
    let readiness = readiness(Layout::default(), &members);
    let mut hashed = balancer(Algorithm::Maglev, 3);
    let found = picks(&readiness, &mut members, &mut hashed, Ask::default());
    assert!(
        found.iter().all(|count| count.abs_diff(2_000) < 200),
        "{found:?}"
    );
}

#[test]
fn slow_start_grows_from_a_tenth_in_a_straight_line() {
    let start = SlowStart {
        since_ns: SECOND,
        for_ns: 10 * SECOND,
    };
    for (second, percent) in [(0, 10), (1, 10), (6, 55), (11, 100), (12, 100)] {
        assert_eq!(start.share(second * SECOND), Percent::new(percent));
    }
}

#[test]
fn an_endpoint_that_warms_up_has_a_tenth_of_its_turns() {
    for algorithm in [
        Algorithm::RoundRobin,
        Algorithm::Random,
        Algorithm::PeakEwma,
    ] {
        let mut members = members(2);
        members[1].slow_start = Some(SlowStart {
            since_ns: 0,
            for_ns: SECOND,
        });
        let readiness = readiness(Layout::default(), &members);
        let mut balancer = balancer(algorithm, 2);
        let found = picks(&readiness, &mut members, &mut balancer, Ask::default());
        assert!((150..=600).contains(&found[1]), "{found:?}");
    }
}

/// Six endpoints, the first four of them near.
fn zones(ejected: usize) -> (Readiness, Vec<Placed>) {
    let mut members = members(6);
    for member in &mut members[..4] {
        member.is_near = true;
    }
    for member in &mut members[..ejected] {
        eject(&mut member.endpoint, 0);
    }
    let layout = Layout {
        prefers_near: true,
        ..Layout::default()
    };
    (readiness(layout, &members), members)
}

fn near_share(ejected: usize) -> u32 {
    let (readiness, mut members) = zones(ejected);
    let mut random = balancer(Algorithm::Random, 6);
    let found = picks(&readiness, &mut members, &mut random, Ask::default());
    found[..4].iter().sum::<u32>() * 100 / 6_000
}

#[test]
fn calls_stay_near_and_spill_over_as_the_near_zone_weakens() {
    assert_eq!(near_share(0), 100);
    assert_eq!(near_share(1), 100); // 3/4 x 1.4
    assert!(near_share(2).abs_diff(70) <= 2);
    assert!(near_share(3).abs_diff(35) <= 2);
    assert_eq!(near_share(4), 0);
}

/// Two groups of two, and two endpoints in none.
fn grouped(overflow: Overflow, ejected: usize) -> (Readiness, Vec<Placed>) {
    let mut members = members(6);
    for (position, member) in members.iter_mut().take(4).enumerate() {
        member.group = Some(position / 2);
    }
    for member in &mut members[..ejected] {
        eject(&mut member.endpoint, 0);
    }
    let layout = Layout {
        groups: 2,
        overflow,
        ..Layout::default()
    };
    (readiness(layout, &members), members)
}

#[test]
fn a_group_has_its_endpoints_for_itself() {
    let (readiness, _) = grouped(Overflow::Never, 0);
    assert_eq!(readiness.ready(Some(0)), [0, 1]);
    assert_eq!(readiness.ready(Some(1)), [2, 3]);
    assert_eq!(readiness.ready(None), [0, 1, 2, 3, 4, 5]);
    assert_eq!(readiness.sizes(), [Size { ready: 2, total: 2 }; 2]);
}

#[test]
fn an_empty_group_spills_into_the_next_or_refuses() {
    let (spilling, mut members) = grouped(Overflow::WhenEmpty, 2);
    assert_eq!(spilling.ready(Some(0)), [2, 3]);
    let (strict, _) = grouped(Overflow::Never, 2);
    assert!(strict.ready(Some(0)).is_empty());
    assert!(!strict.has_another(Some(0), 0));
    let ask = Ask {
        group: Some(0),
        ..Ask::default()
    };
    let refused = strict.pick(&mut members, &mut Balancer::default(), &ask);
    assert_eq!(refused.unwrap_err(), crate::Reason::UpstreamNoEndpoints);
}

/// Endpoints that weigh so much, and what chooses among them.
fn weighted<const N: usize>(
    algorithm: Algorithm,
    weights: [u32; N],
) -> (Vec<Placed>, Balancer, Readiness) {
    let mut members = members(N);
    for (member, weight) in members.iter_mut().zip(weights) {
        member.weight = weight;
    }
    let names = ["cart-0", "cart-1", "cart-2"].into_iter();
    let readiness = readiness(Layout::default(), &members);
    (
        members,
        Balancer::new(algorithm, names.zip(weights)),
        readiness,
    )
}

#[test]
fn round_robin_gives_each_as_many_turns_as_it_weighs() {
    let (mut members, mut turns, readiness) = weighted(Algorithm::RoundRobin, [1, 3, 2]);
    let mut next = || {
        let picked = readiness.pick(&mut members, &mut turns, &Ask::default());
        picked.unwrap().endpoint
    };
    let picked: Vec<u32> = (0..13).map(|_| next()).collect();
    for turn in picked.windows(6) {
        let of = |endpoint| turn.iter().filter(|&&one| one == endpoint).count();
        assert_eq!([of(0), of(1), of(2)], [1, 3, 2], "{picked:?}");
    }
}

#[test]
fn whose_turn_it_is_by_weight_passes_when_it_was_just_tried() {
    let (mut members, mut turns, readiness) = weighted(Algorithm::RoundRobin, [1, 9]);
    for _ in 0..20 {
        let ask = Ask {
            avoid: Some(1),
            ..Ask::default()
        };
        let picked = readiness.pick(&mut members, &mut turns, &ask).unwrap();
        assert_eq!(picked.endpoint, 0);
    }
}

#[test]
fn every_other_algorithm_takes_each_as_often_as_it_weighs_while_nothing_else_decides() {
    for algorithm in [
        Algorithm::PeakEwma,
        Algorithm::LeastRequest,
        Algorithm::Random,
        Algorithm::RingHash,
        Algorithm::Maglev,
    ] {
        let (mut members, mut balancer, readiness) = weighted(algorithm, [1, 2, 3]);
        let mut picks = [0_u32; 3];
        for draw in draws(6_000) {
            let ask = Ask {
                draw,
                key: algorithm.is_hashed().then_some(draw),
                ..Ask::default()
            };
            let picked = readiness.pick(&mut members, &mut balancer, &ask).unwrap();
            picks[picked.endpoint as usize] += 1;
        }
        for (picks, weight) in picks.into_iter().zip([1_000, 2_000, 3_000]) {
            assert!(picks.abs_diff(weight) < 250, "{algorithm:?}: {picks}");
        }
    }
}

#[test]
fn calls_under_way_are_as_many_as_endpoints_weigh() {
    let (mut members, mut balancer, readiness) = weighted(Algorithm::LeastRequest, [1, 4]);
    for draw in draws(100) {
        let ask = Ask {
            draw,
            ..Ask::default()
        };
        let picked = readiness.pick(&mut members, &mut balancer, &ask).unwrap();
        members[picked.endpoint as usize].endpoint.load.begin();
    }
    let under_way = members[0].endpoint.load.in_flight();
    assert!((15..=25).contains(&under_way), "{under_way} of 100");
}

#[test]
fn the_endpoint_just_tried_is_avoided_however_much_it_weighs() {
    for algorithm in [Algorithm::PeakEwma, Algorithm::LeastRequest] {
        let (mut members, mut balancer, readiness) = weighted(algorithm, [1, 99]);
        for draw in draws(200) {
            let ask = Ask {
                draw,
                avoid: Some(1),
                ..Ask::default()
            };
            let picked = readiness.pick(&mut members, &mut balancer, &ask).unwrap();
            assert_eq!(picked.endpoint, 0);
        }
    }
}

#[test]
fn the_endpoint_just_tried_is_avoided_while_another_warms_up() {
    for algorithm in [Algorithm::PeakEwma, Algorithm::LeastRequest] {
        let mut members = members(2);
        members[1].slow_start = Some(SlowStart {
            since_ns: 0,
            for_ns: SECOND,
        });
        let (readiness, mut balancer) = (
            readiness(Layout::default(), &members),
            balancer(algorithm, 2),
        );
        let ask = Ask {
            avoid: Some(0),
            ..Ask::default()
        };
        let found = picks(&readiness, &mut members, &mut balancer, ask);
        assert_eq!(found, [0, 6_000]);
    }
}

#[test]
fn the_endpoint_just_tried_is_avoided_where_the_near_zone_has_nobody_else() {
    for algorithm in [
        Algorithm::PeakEwma,
        Algorithm::RoundRobin,
        Algorithm::Random,
    ] {
        let mut members = members(3);
        members[0].is_near = true;
        let layout = Layout {
            prefers_near: true,
            ..Layout::default()
        };
        let (readiness, mut balancer) = (readiness(layout, &members), balancer(algorithm, 3));
        let ask = Ask {
            avoid: Some(0),
            ..Ask::default()
        };
        let found = picks(&readiness, &mut members, &mut balancer, ask);
        assert_eq!(found[0], 0, "{found:?}");
        assert_eq!(readiness.elsewhere(&members, &balancer, &ask, 1), None);
    }
}
