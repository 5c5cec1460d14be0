use super::*;

const KEYS: u64 = 20_000;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("cart-{at}")).collect()
}

fn weighted(names: &[String]) -> Vec<(&str, u32)> {
    names.iter().map(|name| (name.as_str(), 1)).collect()
}

fn tables(endpoints: &[(&str, u32)]) -> [Table; 2] {
    [
        Table::Ring(Ring::new(endpoints)),
        Table::Maglev(Maglev::new(endpoints)),
    ]
}

fn owners<'a>(table: &Table, endpoints: &[(&'a str, u32)]) -> Vec<&'a str> {
    (0..KEYS)
        .map(|key| {
            let at = table.walk(hash(&key.to_le_bytes(), 7)).next().unwrap();
            endpoints[at as usize].0
        })
        .collect()
}

fn share(owners: &[&str], name: &str) -> f64 {
    owners.iter().filter(|&&owner| owner == name).count() as f64 / owners.len() as f64
}

#[test]
fn keys_spread_in_proportion_to_the_weights() {
    let names = names(5);
    let endpoints: Vec<_> = names
        .iter()
        .map(String::as_str)
        .zip([1, 1, 1, 1, 4])
        .collect();
    for table in tables(&endpoints) {
        let owners = owners(&table, &endpoints);
        for (name, weight) in &endpoints {
            let expected = f64::from(*weight) / 8.0;
            assert!(
                (share(&owners, name) / expected - 1.0).abs() < 0.25,
                "{name}"
            );
        }
    }
}

#[test]
fn the_order_of_the_endpoints_does_not_matter() {
    let names = names(7);
    let endpoints = weighted(&names);
    let reversed: Vec<_> = endpoints.iter().rev().copied().collect();
    for (one, other) in tables(&endpoints).iter().zip(tables(&reversed)) {
        assert_eq!(owners(one, &endpoints), owners(&other, &reversed));
    }
}

#[test]
fn few_keys_move_when_an_endpoint_leaves() {
    let names = names(10);
    let endpoints = weighted(&names);
    for (whole, fewer) in tables(&endpoints).iter().zip(tables(&endpoints[..9])) {
        let (before, after) = (owners(whole, &endpoints), owners(&fewer, &endpoints[..9]));
        let pairs = before.iter().zip(&after);
        let moved = pairs
            .filter(|(one, other)| **one != "cart-9" && one != other)
            .count();
        assert!(
            moved * 100 <= KEYS as usize * 3,
            "{moved} of {KEYS} moved without need"
        );
    }
}

#[test]
fn a_walk_meets_everybody() {
    let names = names(4);
    let endpoints = weighted(&names);
    for table in tables(&endpoints) {
        let mut met: Vec<u32> = table.walk(42).collect();
        met.sort_unstable();
        met.dedup();
        assert_eq!(met, [0, 1, 2, 3]);
    }
}

#[test]
fn nobody_owns_a_key_where_nobody_has_a_weight() {
    for endpoints in [&[][..], &[("cart-0", 0)][..]] {
        for table in tables(endpoints) {
            assert_eq!(table.walk(42).next(), None);
        }
    }
}
