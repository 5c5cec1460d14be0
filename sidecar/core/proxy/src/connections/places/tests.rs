use super::Places;
use crate::report::Direction::{Inbound, Outbound};

/// As many as there is room for in one direction.
fn flooded(mut places: Places, direction: crate::report::Direction) -> (Places, usize) {
    let mut count = 0;
    while let Some(next) = places.enter(direction) {
        places = next;
        count += 1;
    }
    (places, count)
}

#[test]
fn a_flood_in_one_direction_leaves_the_other_its_share() {
    for most in 0..100 {
        for (flood, other) in [(Inbound, Outbound), (Outbound, Inbound)] {
            let (places, first) = flooded(Places::new(most), flood);
            let (full, second) = flooded(places, other);
            assert_eq!((first, second), (most - most / 8, most / 8));
            assert_eq!(full.enter(flood), None);
        }
    }
}

#[test]
fn what_one_direction_does_not_keep_either_may_have() {
    let (places, _) = flooded(Places::new(16), Inbound);
    let places = places.leave(Inbound);
    assert!(places.enter(Inbound).is_some());
    let mut places = flooded(places, Outbound).0;
    for _ in 0..10 {
        places = places.leave(Inbound);
    }
    assert_eq!(flooded(places, Outbound).1, 10);
}

#[test]
fn however_connections_come_and_go_the_bound_holds_and_the_shares_are_free() {
    let (most, kept) = (11, 1);
    for seed in 0_u64..200 {
        let (mut places, mut taken, mut draw) = (Places::new(most), [0_usize, 0], seed);
        for _ in 0..100 {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let place = usize::from((draw >> 40) & 1 == 1);
            let direction = [Inbound, Outbound][place];
            if (draw >> 50).is_multiple_of(3) && taken[place] > 0 {
                (places, taken[place]) = (places.leave(direction), taken[place] - 1);
            } else if let Some(next) = places.enter(direction) {
                (places, taken[place]) = (next, taken[place] + 1);
            } else {
                assert!(taken[place] + taken[1 - place].max(kept) == most);
            }
            assert!(taken[0] + taken[1] <= most);
            assert!(taken[0].max(taken[1]) <= most - kept);
        }
    }
}

#[test]
fn the_fullest_direction_is_told() {
    let mut places = Places::new(16);
    assert_eq!(places.fullest(), (0, 14));
    for _ in 0..5 {
        places = places.enter(Outbound).unwrap();
    }
    assert_eq!(places.fullest(), (5, 14));
    let (full, _) = flooded(places, Inbound);
    assert_eq!(full.fullest(), (11, 11));
}
