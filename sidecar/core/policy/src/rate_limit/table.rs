//! The cells of one limit, one for all and one for each key, and all that is done to them.

use std::any::Any;
use std::fmt::Debug;

use super::ask::{Arrival, Ask, Place};
use super::cell::{Cell, Demand, Shortage, Terms};
use super::keys::{Key, Keys};
use super::{Params, WhenKeysFull};
use crate::moment::Moment;

/// What a limit has left, for `RateLimit` fields and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The most requests of cost 1 that it ever admits at once.
    pub capacity: u64,
    /// Those it would admit now.
    pub remaining: u64,
    /// The time until it would admit more; zero when nothing is used, none when nobody knows.
    pub more_after_ns: Option<u64>,
    /// The time until nothing is used; none when nobody knows.
    pub full_after_ns: Option<u64>,
}

/// What a limit has left: of a [`View`], what every request is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The requests of cost 1 that it would admit now.
    pub remaining: u64,
    /// The time until it would admit more; zero when nothing is used, none when nobody knows.
    pub more_after_ns: Option<u64>,
}

/// Where one stands who was admitted to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It need not wait any more.
    Free,
    /// It waits until then, or less if others leave.
    Waits {
        /// The instant at which it may go on.
        until_ns: u64,
    },
    /// It had to make room, and nothing of it is charged here any more.
    Evicted,
}

/// A [`Table`] of any algorithm.
pub(super) trait Counts: Any + Debug + Send + Sync {
    fn check(&mut self, ask: &mut Ask, params: &Params, arrival: &Arrival)
    -> Result<u64, Shortage>;
    fn charge(&mut self, ask: &mut Ask, now_ns: u64);
    /// Checks an ask that is the only one, and charges it if it fits.
    fn admit(&mut self, ask: &mut Ask, params: &Params, arrival: &Arrival)
    -> Result<u64, Shortage>;
    fn charge_unchecked(&mut self, ask: &mut Ask, now_ns: u64);
    fn charge_after(&mut self, ask: &mut Ask, cost: u64, params: &Params, at: Moment);
    fn refund(&mut self, ask: &mut Ask, at: Moment);
    fn release(&mut self, ask: &mut Ask, at: Moment);
    fn standing(&mut self, ask: &mut Ask, at: Moment) -> Standing;
    fn shortage(&self, ask: &Ask, at: Moment) -> Result<u64, Shortage>;
    fn left(&self, key: Option<Key>, at: Moment) -> Left;
    fn view(&self, key: Option<Key>, at: Moment) -> View;
    fn capacity(&self) -> u64;
    fn least_remaining(&self, at: Moment) -> u64;
    fn forget_fresh(&mut self, at: Moment);
    fn keys(&self) -> usize;
    /// Whether somebody in a line left or was evicted since the last call.
    fn take_stir(&mut self) -> bool;
    /// Takes over what was counted by the same algorithm with other figures; false when it was another one.
    fn take_over(&mut self, old: Box<dyn Any>, at: Moment) -> bool;
}

#[derive(Clone, Debug)]
pub(super) struct Table<C: Cell> {
    terms: C::Terms,
    /// The cell of a limit without keys, and of the keys that found no room.
    shared: C,
    keys: Keys<C>,
    /// Makes serial numbers of charges.
    serial: u64,
    /// Those who had to make room and were not told yet.
    evicted: Vec<u64>,
    is_stirred: bool,
}

impl<C: Cell> Table<C> {
    pub(super) fn new(terms: C::Terms) -> Self {
        Self {
            terms,
            shared: C::default(),
            keys: Keys::default(),
            serial: 0,
            evicted: Vec::new(),
            is_stirred: false,
        }
    }

    /// Finds the cell that answers for a key.
    #[inline]
    fn place(&mut self, key: Option<Key>, params: &Params, now_ns: u64) -> Place {
        let Some(key) = key else {
            return Place::Shared;
        };
        match self.keys.find(key) {
            Some(slot) => Place::Keyed(slot),
            None => self.place_newcomer(params, now_ns),
        }
    }

    #[inline(never)]
    fn place_newcomer(&mut self, params: &Params, now_ns: u64) -> Place {
        if self.keys.has_room(params.max_keys, &self.terms, now_ns) {
            return Place::Vacant;
        }
        match params.when_keys_full {
            WhenKeysFull::ShareOne => Place::Shared,
            WhenKeysFull::Refuse => Place::Nowhere { admits: false },
            WhenKeysFull::Allow => Place::Nowhere { admits: true },
        }
    }

    /// The cell at a place that was found just now.
    #[inline]
    fn at(&mut self, place: Place) -> Option<(&mut C, &C::Terms)> {
        let cell = match place {
            Place::Shared => &mut self.shared,
            Place::Keyed(slot) => self.keys.cell_mut(slot),
            Place::Unknown | Place::Vacant | Place::Nowhere { .. } => return None,
        };
        Some((cell, &self.terms))
    }

    /// The same, to be charged: only now a new key is taken in.
    #[inline]
    fn settle_in(&mut self, ask: &mut Ask, now_ns: u64) -> Option<(&mut C, &C::Terms)> {
        if ask.cost == 0 && !C::FADES {
            return None;
        }
        if ask.place == Place::Vacant {
            self.take_in(ask, now_ns);
        }
        self.at(ask.place)
    }

    #[inline(never)]
    fn take_in(&mut self, ask: &mut Ask, now_ns: u64) {
        if let Some(key) = ask.key {
            ask.place = Place::Keyed(self.keys.take_in(key, now_ns));
        }
    }

    /// The cell that answered for an ask some time ago, if its key is still there.
    fn again(&mut self, ask: &Ask, at: Moment) -> Option<(&mut C, &C::Terms)> {
        self.terms.advance(at);
        let place = match (ask.place, ask.key) {
            (Place::Keyed(_), Some(key)) => Place::Keyed(self.keys.find(key)?),
            (place, _) => place,
        };
        let (cell, terms) = self.at(place)?;
        cell.settle(terms, at.now_ns);
        Some((cell, terms))
    }

    fn terms_at(&self, at: Moment) -> C::Terms {
        let mut terms = self.terms.clone();
        terms.advance(at);
        terms
    }

    /// Looks at the cell of a key; one that is not in the table is as new.
    fn look<T>(&self, key: Option<Key>, at: impl FnOnce(&C) -> T) -> T {
        match key.map(|key| self.keys.find(key)) {
            None => at(&self.shared),
            Some(Some(slot)) => at(self.keys.cell(slot)),
            Some(None) => at(&C::default()),
        }
    }

    #[inline(never)]
    fn check_newcomer(&self, place: Place, demand: Demand, now_ns: u64) -> Result<u64, Shortage> {
        match place {
            Place::Nowhere { admits: true } => Ok(0),
            Place::Nowhere { admits: false } => Err(Shortage::Unknown),
            _ => C::default().check(&self.terms, demand, now_ns),
        }
    }

    fn was_evicted(&mut self, stamp: u64) -> bool {
        let mut evicted = self.evicted.iter();
        let place = evicted.position(|&evicted| evicted == stamp);
        place.map(|place| self.evicted.swap_remove(place)).is_some()
    }

    fn forget(&mut self, ask: &Ask) {
        if let (Place::Keyed(_), Some(key)) = (ask.place, ask.key) {
            let slot = self.keys.find(key);
            slot.into_iter().for_each(|slot| self.keys.forget(slot));
        }
    }
}

impl<C: Cell> Counts for Table<C> {
    #[inline]
    fn check(
        &mut self,
        ask: &mut Ask,
        params: &Params,
        arrival: &Arrival,
    ) -> Result<u64, Shortage> {
        let now_ns = arrival.at.now_ns;
        self.terms.advance(arrival.at);
        ask.place = self.place(ask.key, params, now_ns);
        let demand = ask.demand(arrival.left_ns);
        if let Some((cell, terms)) = self.at(ask.place) {
            cell.settle(terms, now_ns);
            return cell.check(terms, demand, now_ns);
        }
        self.check_newcomer(ask.place, demand, now_ns)
    }

    #[inline]
    fn charge(&mut self, ask: &mut Ask, now_ns: u64) {
        self.serial += 1;
        let serial = self.serial;
        let Some((cell, terms)) = self.settle_in(ask, now_ns) else {
            return;
        };
        let charge = cell.charge(terms, ask.cost, serial, now_ns);
        ask.charged = Some(charge.stamp);
        if let Some(evicted) = charge.evicted {
            self.evicted.push(evicted);
            self.is_stirred = true;
        }
    }

    #[inline]
    fn admit(
        &mut self,
        ask: &mut Ask,
        params: &Params,
        arrival: &Arrival,
    ) -> Result<u64, Shortage> {
        let wait_ns = Self::check(self, ask, params, arrival)?;
        Self::charge(self, ask, arrival.at.now_ns);
        Ok(wait_ns)
    }

    fn charge_unchecked(&mut self, ask: &mut Ask, now_ns: u64) {
        if let Some((cell, terms)) = self.settle_in(ask, now_ns) {
            cell.charge_unchecked(terms, ask.cost, now_ns);
            ask.charged = (!C::FADES).then_some(0);
        }
    }

    fn charge_after(&mut self, ask: &mut Ask, cost: u64, params: &Params, at: Moment) {
        self.terms.advance(at);
        ask.place = self.place(ask.key, params, at.now_ns);
        if let Some((cell, terms)) = self.settle_in(ask, at.now_ns) {
            cell.settle(terms, at.now_ns);
            cell.charge_after(terms, cost, at.now_ns);
        }
    }

    fn refund(&mut self, ask: &mut Ask, at: Moment) {
        let Some(stamp) = ask.charged.take() else {
            return;
        };
        if self.was_evicted(stamp) {
            return;
        }
        let Some((cell, terms)) = self.again(ask, at) else {
            return;
        };
        cell.refund(terms, ask.cost, stamp, at.now_ns);
        let is_fresh = cell.fresh_at_ns(terms, at.now_ns).is_none();
        self.is_stirred = true;
        if is_fresh && !C::FADES {
            self.forget(ask);
        }
    }

    fn release(&mut self, ask: &mut Ask, at: Moment) {
        if !C::FADES {
            self.refund(ask, at);
        }
    }

    fn standing(&mut self, ask: &mut Ask, at: Moment) -> Standing {
        let Some(stamp) = ask.charged else {
            return Standing::Free;
        };
        if self.was_evicted(stamp) {
            ask.charged = None;
            return Standing::Evicted;
        }
        let cell = self.again(ask, at);
        let until_ns = cell.and_then(|(cell, terms)| cell.leaves_at_ns(terms, stamp, at.now_ns));
        until_ns.map_or(Standing::Free, |until_ns| Standing::Waits { until_ns })
    }

    fn shortage(&self, ask: &Ask, at: Moment) -> Result<u64, Shortage> {
        let (terms, demand) = (self.terms_at(at), ask.demand(None));
        if let Place::Nowhere { .. } = ask.place {
            return self.check_newcomer(ask.place, demand, at.now_ns);
        }
        self.look(ask.cell_key(), |cell| cell.check(&terms, demand, at.now_ns))
    }

    fn view(&self, key: Option<Key>, at: Moment) -> View {
        let terms = self.terms_at(at);
        self.look(key, |cell| View {
            capacity: C::capacity(&terms),
            remaining: cell.remaining(&terms, at.now_ns),
            more_after_ns: cell.more_after_ns(&terms, at.now_ns),
            full_after_ns: cell.full_after_ns(&terms, at.now_ns),
        })
    }

    fn left(&self, key: Option<Key>, at: Moment) -> Left {
        let terms = self.terms_at(at);
        self.look(key, |cell| Left {
            remaining: cell.remaining(&terms, at.now_ns),
            more_after_ns: cell.more_after_ns(&terms, at.now_ns),
        })
    }

    fn capacity(&self) -> u64 {
        C::capacity(&self.terms)
    }

    fn least_remaining(&self, at: Moment) -> u64 {
        let terms = self.terms_at(at);
        let remaining = |cell: &C| cell.remaining(&terms, at.now_ns);
        let keyed = self.keys.cells().map(remaining).min();
        remaining(&self.shared).min(keyed.unwrap_or(u64::MAX))
    }

    fn forget_fresh(&mut self, at: Moment) {
        self.terms.advance(at);
        self.keys.forget_fresh(&self.terms, at.now_ns);
    }

    fn keys(&self) -> usize {
        self.keys.len()
    }

    fn take_stir(&mut self) -> bool {
        std::mem::take(&mut self.is_stirred)
    }

    fn take_over(&mut self, old: Box<dyn Any>, at: Moment) -> bool {
        let Ok(mut old) = old.downcast::<Self>() else {
            return false;
        };
        old.terms.advance(at);
        self.terms.follow(&old.terms);
        self.terms.advance(at);
        if self.terms != old.terms {
            old.shared.convert(&old.terms, &self.terms, at.now_ns);
            old.keys.convert(&old.terms, &self.terms, at.now_ns);
        }
        let terms = self.terms.clone();
        *self = Self { terms, ..*old };
        true
    }
}
