//! Concurrency: requests in flight. A request is charged when it is admitted, and its charge taken back when it ends.

use super::cell::{self, Cell, Charge, Demand, Shortage};
use super::rate::Share;

/// What is in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct InFlight(u64);

impl cell::Terms for Share {}

impl Cell for InFlight {
    type Terms = Share;

    const FADES: bool = false;

    #[inline]
    fn check(&self, share: &Share, demand: Demand, _now_ns: u64) -> Result<u64, Shortage> {
        if share.covers(self.0.saturating_add(demand.cost)) {
            Ok(0)
        } else if share.covers(demand.cost) {
            Err(Shortage::Unknown)
        } else {
            Err(Shortage::ForEver)
        }
    }

    #[inline]
    fn charge(&mut self, _share: &Share, cost: u64, _serial: u64, _now_ns: u64) -> Charge {
        self.0 = self.0.saturating_add(cost);
        Charge::default()
    }

    fn charge_after(&mut self, _share: &Share, _cost: u64, _now_ns: u64) {}

    fn refund(&mut self, _share: &Share, cost: u64, _stamp: u64, _now_ns: u64) {
        self.0 = self.0.saturating_sub(cost);
    }

    fn fresh_at_ns(&self, _share: &Share, _now_ns: u64) -> Option<u64> {
        (self.0 > 0).then_some(u64::MAX)
    }

    fn convert(&mut self, _from: &Share, _to: &Share, _now_ns: u64) {}

    fn capacity(share: &Share) -> u64 {
        share.whole()
    }

    fn remaining(&self, share: &Share, _now_ns: u64) -> u64 {
        share.whole().saturating_sub(self.0)
    }

    fn more_after_ns(&self, share: &Share, now_ns: u64) -> Option<u64> {
        self.full_after_ns(share, now_ns)
    }

    fn full_after_ns(&self, _share: &Share, _now_ns: u64) -> Option<u64> {
        (self.0 == 0).then_some(0)
    }
}
