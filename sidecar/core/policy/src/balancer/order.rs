//! In which order endpoints are asked: the algorithm, and what it remembers from call to call.

use super::hash::{Maglev, Ring, Table};
use crate::split::Turns;

/// How endpoints are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// The better of two by latency and calls in flight.
    #[default]
    PeakEwma,
    /// The better of two by calls in flight.
    LeastRequest,
    /// One after the other.
    RoundRobin,
    /// Any.
    Random,
    /// The owner of the request's key on a ring.
    RingHash,
    /// The owner of the request's key in Maglev's table.
    Maglev,
}

impl Algorithm {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PeakEwma => "PeakEwma",
            Self::LeastRequest => "LeastRequest",
            Self::RoundRobin => "RoundRobin",
            Self::Random => "Random",
            Self::RingHash => "RingHash",
            Self::Maglev => "Maglev",
        }
    }

    /// Whether a key decides.
    #[must_use]
    pub const fn is_hashed(self) -> bool {
        matches!(self, Self::RingHash | Self::Maglev)
    }
}

/// An algorithm over one set of endpoints.
#[derive(Clone, Debug, Default)]
pub struct Balancer {
    algorithm: Algorithm,
    /// Of a hashed algorithm.
    hashed: Option<Hashed>,
    /// Whose turn it was last, by pool; round robin only.
    last: Vec<u32>,
    /// Whose turn it is where some have more turns than others, by pool; round robin only.
    turns: Vec<Turns>,
}

/// Where keys go, and the names and weights that the table is made from.
#[derive(Clone, Debug)]
struct Hashed {
    table: Table,
    endpoints: Vec<(Box<str>, u32)>,
}

impl Hashed {
    fn new<'a>(algorithm: Algorithm, endpoints: impl Iterator<Item = (&'a str, u32)>) -> Self {
        let endpoints: Vec<_> = endpoints.collect();
        let table = match algorithm {
            Algorithm::RingHash => Table::Ring(Ring::new(&endpoints)),
            _ => Table::Maglev(Maglev::new(&endpoints)),
        };
        let own = |(name, weight): (&str, u32)| (name.into(), weight);
        Self {
            table,
            endpoints: endpoints.into_iter().map(own).collect(),
        }
    }

    fn is_over<'a>(&self, mut endpoints: impl Iterator<Item = (&'a str, u32)>) -> bool {
        let mut is_next = |(name, weight): &(Box<str>, u32)| {
            let next = endpoints.next();
            next.is_some_and(|next| *next.0 == **name && next.1 == *weight)
        };
        self.endpoints.iter().all(&mut is_next) && endpoints.next().is_none()
    }
}

impl Balancer {
    /// The algorithm over the endpoints of these names and weights, in their order; makes the table of a hashed one.
    #[must_use]
    pub fn new<'a>(algorithm: Algorithm, endpoints: impl Iterator<Item = (&'a str, u32)>) -> Self {
        Self {
            algorithm,
            hashed: algorithm
                .is_hashed()
                .then(|| Hashed::new(algorithm, endpoints)),
            ..Self::default()
        }
    }

    /// Whether this is the algorithm already, and over these endpoints, as far as they matter to it.
    #[must_use]
    pub fn is_over<'a>(
        &self,
        algorithm: Algorithm,
        endpoints: impl Iterator<Item = (&'a str, u32)>,
    ) -> bool {
        let hashed = self.hashed.as_ref();
        algorithm == self.algorithm && hashed.is_none_or(|hashed| hashed.is_over(endpoints))
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The endpoints for a key, the one it belongs to first; none where keys do not decide.
    pub(crate) fn walk(&self, key: u64) -> impl Iterator<Item = u32> + Clone + '_ {
        let hashed = self.hashed.iter();
        hashed.flat_map(move |hashed| hashed.table.walk(key))
    }

    /// The candidates, sorted by position, from the one after whoever had the last turn of this pool.
    pub(crate) fn turn<'a>(
        &self,
        pool: usize,
        candidates: &'a [u32],
    ) -> impl Iterator<Item = u32> + Clone + use<'a> {
        let start = match self.last.get(pool) {
            Some(&last) => candidates.partition_point(|&endpoint| endpoint <= last),
            None => 0,
        };
        let (before, after) = candidates.split_at(start);
        after.iter().chain(before).copied()
    }

    /// Whose turn of this pool it is among the first `count`, who have as many turns as they weigh.
    pub(crate) fn turn_by_weight(
        &mut self,
        pool: usize,
        count: usize,
        weight: impl Fn(usize) -> u32,
    ) -> Option<usize> {
        if self.turns.len() <= pool {
            self.turns.resize(pool + 1, Turns::default());
        }
        self.turns[pool].next(count, weight)
    }

    /// Notes whose turn it was.
    pub(crate) fn note_turn(&mut self, pool: usize, endpoint: u32) {
        if self.last.len() <= pool {
            self.last.resize(pool + 1, u32::MAX);
        }
        self.last[pool] = endpoint;
    }
}
