use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault};

use super::NameHasher;

fn hash(name: &str) -> u64 {
    BuildHasherDefault::<NameHasher>::default().hash_one(name)
}

/// Of names that differ in a few digits, as services do: both ends of the hash, which a table goes by, differ.
#[test]
fn names_of_one_shape_are_spread_over_the_whole_table() {
    let hashes = (0..4096).map(|number| hash(&format!("service-{number}.shop.svc.cluster.local")));
    let (mut low, mut high) = (HashSet::new(), [0; 128]);
    for hash in hashes {
        low.insert(hash & 0xfff);
        high[(hash >> 57) as usize] += 1;
    }
    // As many as chance leaves: 63 % of the slots, and about 32 names for each of the 128 tags.
    assert!(low.len() > 2300, "{}", low.len());
    assert!(high.iter().all(|count| (8..80).contains(count)), "{high:?}");
}

#[test]
fn the_same_name_has_the_same_hash_and_a_longer_one_another() {
    for len in 0..40 {
        let name = "a".repeat(len);
        assert_eq!(hash(&name), hash(&name));
        assert_ne!(hash(&name), hash(&format!("{name}a")));
    }
}
