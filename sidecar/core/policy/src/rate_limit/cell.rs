//! What every algorithm is: the counts of one key, and how a request is checked against them and charged.

use std::fmt::Debug;

use crate::moment::Moment;

/// When a request that does not fit now will; the longer the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shortage {
    /// After so long, if nobody else comes.
    For(u64),
    /// Nobody knows.
    Unknown,
    /// Never: it costs more than there can ever be.
    ForEver,
}

impl Shortage {
    pub(super) const fn time_ns(self) -> Option<u64> {
        match self {
            Self::For(time_ns) => Some(time_ns),
            Self::Unknown | Self::ForEver => None,
        }
    }
}

/// A request as one limit sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    pub(super) cost: u64,
    /// The time until its deadline.
    pub(super) left_ns: Option<u64>,
}

/// What a charge leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Charge {
    /// Finds the charge again, should it be taken back.
    pub(super) stamp: u64,
    /// The stamp of a waiter that had to make room.
    pub(super) evicted: Option<u64>,
}

/// The figures of a limit, as its algorithm needs them, and the window they are counted in.
pub(super) trait Terms: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// Goes on to the window of `moment`.
    fn advance(&mut self, _moment: Moment) {}

    /// Takes over the windows of older terms, where these have the same.
    fn follow(&mut self, _old: &Self) {}
}

/// The counts of one key of a limit. A default cell belongs to a key that was never seen.
pub(super) trait Cell: Clone + Debug + Default + Send + Sync + 'static {
    /// The figures it is read with; advanced to `now_ns` before every call.
    type Terms: Terms;

    /// Whether counts vanish with time; others do when they are taken back.
    const FADES: bool = true;

    /// Drops what is past.
    fn settle(&mut self, _terms: &Self::Terms, _now_ns: u64) {}

    /// Whether the request fits, and the time it has to wait for its turn.
    fn check(&self, terms: &Self::Terms, demand: Demand, now_ns: u64) -> Result<u64, Shortage>;

    /// Charges a cost, fitting or not. `serial` is another one for each charge.
    fn charge(&mut self, terms: &Self::Terms, cost: u64, serial: u64, now_ns: u64) -> Charge;

    /// Charges for a request that no check let in: exempt, or refused and counted.
    fn charge_unchecked(&mut self, terms: &Self::Terms, cost: u64, now_ns: u64) {
        self.charge(terms, cost, 0, now_ns);
    }

    /// Charges what turned out later, more than fits if need be.
    fn charge_after(&mut self, terms: &Self::Terms, cost: u64, now_ns: u64) {
        self.charge(terms, cost, 0, now_ns);
    }

    /// Takes a charge back.
    fn refund(&mut self, terms: &Self::Terms, cost: u64, stamp: u64, now_ns: u64);

    /// The instant at which the one who was charged so leaves the line; none for who is in none.
    fn leaves_at_ns(&self, _terms: &Self::Terms, _stamp: u64, _now_ns: u64) -> Option<u64> {
        None
    }

    /// An instant before which the cell is not as new; none when it is already.
    fn fresh_at_ns(&self, terms: &Self::Terms, now_ns: u64) -> Option<u64>;

    /// Carries what was used over to other figures.
    fn convert(&mut self, from: &Self::Terms, to: &Self::Terms, now_ns: u64);

    /// The most that could ever remain.
    fn capacity(terms: &Self::Terms) -> u64;

    /// Requests of cost 1 that would be admitted now.
    fn remaining(&self, terms: &Self::Terms, now_ns: u64) -> u64;

    /// The time until more remain, or all; zero when all do, none when nobody knows.
    fn more_after_ns(&self, terms: &Self::Terms, now_ns: u64) -> Option<u64> {
        let cost = self.remaining(terms, now_ns).saturating_add(1);
        let demand = Demand {
            cost,
            left_ns: None,
        };
        match self.check(terms, demand, now_ns) {
            Err(Shortage::For(wait_ns)) => Some(wait_ns),
            _ => self.full_after_ns(terms, now_ns),
        }
    }

    /// The time until all remain; none when nobody knows.
    fn full_after_ns(&self, terms: &Self::Terms, now_ns: u64) -> Option<u64>;
}
