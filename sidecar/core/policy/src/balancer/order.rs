//! In which order endpoints are asked: the algorithm, and what it remembers from call to call.

use super::hash::{Maglev, Ring, Table};

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
    /// Of a hashed algorithm, with the names that it is made from.
    table: Option<(Table, Vec<Box<str>>)>,
    /// Whose turn it was last, by pool; round robin only.
    last: Vec<u32>,
}

impl Balancer {
    /// The algorithm over the endpoints of these names, in their order; makes the table of a hashed one.
    #[must_use]
    pub fn new<'a>(algorithm: Algorithm, names: impl Iterator<Item = &'a str>) -> Self {
        let table = algorithm.is_hashed().then(|| {
            let weighted: Vec<_> = names.map(|name| (name, 1)).collect();
            let table = match algorithm {
                Algorithm::RingHash => Table::Ring(Ring::new(&weighted)),
                _ => Table::Maglev(Maglev::new(&weighted)),
            };
            let names = weighted.into_iter().map(|(name, _)| name.into());
            (table, names.collect())
        });
        Self {
            algorithm,
            table,
            last: Vec::new(),
        }
    }

    /// Whether this is the algorithm already, and over these names, as far as they matter to it.
    #[must_use]
    pub fn is_over<'a>(&self, algorithm: Algorithm, names: impl Iterator<Item = &'a str>) -> bool {
        let is_over =
            |(_, known): &(Table, Vec<Box<str>>)| known.iter().map(|name| &**name).eq(names);
        algorithm == self.algorithm && self.table.as_ref().is_none_or(is_over)
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The endpoints for a key, the one it belongs to first; none where keys do not decide.
    pub(crate) fn walk(&self, key: u64) -> impl Iterator<Item = u32> + Clone + '_ {
        self.table
            .iter()
            .flat_map(move |(table, _)| table.walk(key))
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

    /// Notes whose turn it was.
    pub(crate) fn note_turn(&mut self, pool: usize, endpoint: u32) {
        if self.last.len() <= pool {
            self.last.resize(pool + 1, u32::MAX);
        }
        self.last[pool] = endpoint;
    }
}
