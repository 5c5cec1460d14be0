//! Inbound requests in flight, by trace: how a chain of calls shares one deadline, and only its hop nearest to a
//! failure retries.
//!
//! An application turns a failed call into an answer of its own, so the sidecar has to remember which inbound
//! request its calls belong to. Calls inherit the latest deadline and the highest criticality among the requests of
//! their trace; a call that was retried in vain marks them all, and their answers, if they fail, tell the caller not
//! to start over. Requests beyond the table's bound are served without any of this.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::RandomState;
use std::rc::Rc;

use policy::Criticality;
use smallvec::SmallVec;

use crate::trace::Key;

/// The inbound requests in flight.
#[derive(Debug)]
pub(crate) struct Across {
    /// What keys are hashed with.
    pub(crate) hasher: RandomState,
    most: usize,
    table: RefCell<HashMap<Key, SmallVec<[Rc<Inbound>; 1]>>>,
    passed_over: Cell<u64>,
}

#[derive(Debug)]
struct Inbound {
    deadline_ns: Option<u64>,
    criticality: Cell<Criticality>,
    /// Whether its deadline is inherited; not any more once a streaming answer began.
    lends_deadline: Cell<bool>,
    exhausted: Cell<bool>,
}

/// One inbound request's place in the table; dropping it takes it out.
#[derive(Debug)]
pub(crate) struct Hop {
    across: Rc<Across>,
    keys: SmallVec<[Key; 2]>,
    inbound: Rc<Inbound>,
}

impl Across {
    pub(crate) fn new(most: usize) -> Rc<Self> {
        Rc::new(Self {
            hasher: RandomState::new(),
            most,
            table: RefCell::default(),
            passed_over: Cell::new(0),
        })
    }

    /// Enters an inbound request under each key that its calls may carry.
    pub(crate) fn enter(
        self: &Rc<Self>,
        keys: SmallVec<[Key; 2]>,
        deadline_ns: Option<u64>,
    ) -> Option<Hop> {
        let mut table = self.table.borrow_mut();
        if table.len() + keys.len() > self.most {
            self.passed_over.set(self.passed_over.get() + 1);
            return None;
        }
        let inbound = Rc::new(Inbound {
            deadline_ns,
            criticality: Cell::default(),
            lends_deadline: Cell::new(true),
            exhausted: Cell::new(false),
        });
        for key in &keys {
            table.entry(*key).or_default().push(Rc::clone(&inbound));
        }
        Some(Hop {
            across: Rc::clone(self),
            keys,
            inbound,
        })
    }

    /// The latest deadline among the requests of this key; none if one of them has none.
    pub(crate) fn deadline_ns(&self, key: Key) -> Option<u64> {
        let table = self.table.borrow();
        let lending = table
            .get(&key)?
            .iter()
            .filter(|inbound| inbound.lends_deadline.get());
        let deadlines: Option<SmallVec<[u64; 4]>> =
            lending.map(|inbound| inbound.deadline_ns).collect();
        deadlines?.into_iter().max()
    }

    /// The highest criticality among the requests of this key; none if there are none.
    pub(crate) fn criticality(&self, key: Key) -> Option<Criticality> {
        let table = self.table.borrow();
        let classes = table.get(&key)?.iter();
        classes.map(|inbound| inbound.criticality.get()).min()
    }

    /// Notes that a call of this key was retried in vain.
    pub(crate) fn mark_exhausted(&self, key: Key) {
        if let Some(inbounds) = self.table.borrow().get(&key) {
            inbounds
                .iter()
                .for_each(|inbound| inbound.exhausted.set(true));
        }
    }

    /// Keys in the table, and how many requests found no room.
    pub(crate) fn size(&self) -> (usize, u64) {
        (self.table.borrow().len(), self.passed_over.get())
    }

    /// How many keys fit.
    pub(crate) const fn bound(&self) -> usize {
        self.most
    }
}

impl Hop {
    /// Whether a call that this request made was retried in vain.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.inbound.exhausted.get()
    }

    /// Has calls made from now on inherit how much this request matters.
    pub(crate) fn lend_criticality(&self, criticality: Criticality) {
        self.inbound.criticality.set(criticality);
    }

    /// Has calls made from now on not inherit the deadline: the answer streams, and is not bound by it.
    pub(crate) fn withhold_deadline(&self) {
        self.inbound.lends_deadline.set(false);
    }
}

impl Drop for Hop {
    fn drop(&mut self) {
        let mut table = self.across.table.borrow_mut();
        for key in &self.keys {
            let Some(inbounds) = table.get_mut(key) else {
                continue;
            };
            inbounds.retain(|inbound| !Rc::ptr_eq(inbound, &self.inbound));
            if inbounds.is_empty() {
                table.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
