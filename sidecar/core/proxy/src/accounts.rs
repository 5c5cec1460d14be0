//! What is counted of every service: as long as it is in use, and after that while there is room.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::config::ServiceName;
use crate::report::Direction;
use crate::tally::{Tallies, Tally};

/// The counts of a worker.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    by_service: RefCell<HashMap<(Direction, ServiceName), Tallies>>,
    /// Of requests that found no service, by direction.
    unrouted: [Tallies; 2],
    forgotten: Cell<u64>,
}

impl Accounts {
    /// What is counted about requests that found no service.
    pub(crate) fn unrouted(&self, direction: Direction) -> &Rc<Tally> {
        self.unrouted[usize::from(direction == Direction::Outbound)].whole()
    }

    /// What is counted about requests to a service in one direction, under that rule, or under none.
    pub(crate) fn of(
        &self,
        direction: Direction,
        service: &ServiceName,
        rule: Option<&Rc<str>>,
    ) -> Rc<Tally> {
        let mut known = self.by_service.borrow_mut();
        let tallies = known.entry((direction, service.clone())).or_default();
        match rule {
            Some(rule) => tallies.of(rule),
            None => Rc::clone(tallies.whole()),
        }
    }

    /// Hands everything that is counted to `each`.
    pub(crate) fn visit(&self, mut each: impl FnMut(Direction, Option<&ServiceName>, &Tallies)) {
        for ((direction, service), tallies) in &*self.by_service.borrow() {
            each(*direction, Some(service), tallies);
        }
        each(Direction::Inbound, None, &self.unrouted[0]);
        each(Direction::Outbound, None, &self.unrouted[1]);
    }

    /// Whether something is counted of a service.
    pub(crate) fn has(&self, direction: Direction, service: &ServiceName) -> bool {
        let key = (direction, service.clone());
        self.by_service.borrow().contains_key(&key)
    }

    /// How many services something is counted of, and how many were forgotten.
    pub(crate) fn size(&self) -> (usize, u64) {
        (self.by_service.borrow().len(), self.forgotten.get())
    }

    /// Forgets services beyond so many, those first that were called the longest ago; never one in use.
    pub(crate) fn forget_beyond(&self, most: usize) {
        let mut known = self.by_service.borrow_mut();
        let excess = known.len().saturating_sub(most);
        if excess == 0 {
            return;
        }
        let resting = known.iter().filter(|(_, tallies)| tallies.are_at_rest());
        let mut resting: Vec<_> = resting
            .map(|(key, tallies)| (tallies.called_ns(), key.clone()))
            .collect();
        resting.sort_unstable_by_key(|(called_ns, _)| *called_ns);
        for (_, key) in resting.iter().take(excess) {
            known.remove(key);
            self.forgotten.set(self.forgotten.get() + 1);
        }
    }
}

#[cfg(test)]
mod tests;
