//! Ketama's ring: every endpoint has many points on it, and a key belongs to the next point clockwise.

use super::hash;

/// Points of a unit of weight: the same however many endpoints there are, so that who stays keeps its points, and 1024
/// as soon as there is a choice.
const POINTS: u64 = 512;
/// The most that the weights may ask for together.
const MOST_POINTS: u64 = 1 << 20;

/// A ring, sorted: points, and whose each is.
#[derive(Clone, Debug)]
pub struct Ring {
    points: Vec<u64>,
    owners: Vec<u32>,
}

impl Ring {
    /// The ring of endpoints by name and weight; each has points in proportion to its weight, at least one.
    #[must_use]
    pub fn new(endpoints: &[(&str, u32)]) -> Self {
        let total = endpoints.iter().map(|&(_, weight)| u64::from(weight)).sum();
        let mut points: Vec<(u64, u32)> = (0..)
            .zip(endpoints)
            .flat_map(|(at, &(name, weight))| {
                let count = points_of(u64::from(weight), total);
                (0..count).map(move |point| (hash(name.as_bytes(), point), at))
            })
            .collect();
        points.sort_unstable_by_key(|&(point, at)| (point, endpoints[at as usize].0));
        let (points, owners) = points.into_iter().unzip();
        Self { points, owners }
    }

    /// The owners from a key's point on, and then those before it.
    pub(super) fn from(&self, key: u64) -> (&[u32], &[u32]) {
        let start = self.points.partition_point(|&point| point < key);
        let (before, after) = self.owners.split_at(start);
        (after, before)
    }
}

/// How many points a weight gets: a fixed number per unit, less where all together would have too many.
const fn points_of(weight: u64, total: u64) -> u64 {
    if total * POINTS > MOST_POINTS {
        (weight * MOST_POINTS).div_ceil(total)
    } else {
        weight * POINTS
    }
}
