//! Those who wait, by class and flow, for whoever calls them to choose from.
//!
//! Within a class flows take turns: each gives one waiter, its oldest, and goes to the end of the round. That is
//! deficit round robin with one place for each request, and first in, first out where all are of one flow. A flow
//! exists while somebody of it waits. Whoever waits may leave at once, in constant time.

use hashbrown::HashTable;

use crate::criticality::{CLASSES, Criticality};
use crate::lists::{List, Lists, Ticket};

/// Whom a waiter is counted with, a keyed hash: a route, or a tenant.
pub type Flow = u64;

/// Kinds of lists: all of a class by age, and all of a flow by age.
const BY_AGE: usize = 0;
const BY_FLOW: usize = 1;

#[derive(Clone, Debug)]
pub(crate) struct Waiters<T> {
    entries: Lists<Entry<T>, 2>,
    classes: [Class; CLASSES],
    length: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    class: Criticality,
    /// The place of its flow.
    flow: u32,
    value: T,
}

/// All of one class.
#[derive(Clone, Debug)]
struct Class {
    by_age: List,
    flows: Lists<Queue, 1>,
    /// Flows in the order of their turns.
    round: List,
    by_key: HashTable<u32>,
}

/// All of one flow.
#[derive(Clone, Copy, Debug)]
struct Queue {
    key: Flow,
    list: List,
}

impl Default for Class {
    fn default() -> Self {
        Self {
            by_age: List::EMPTY,
            flows: Lists::new(),
            round: List::EMPTY,
            by_key: HashTable::new(),
        }
    }
}

impl<T> Default for Waiters<T>
where
    T: Copy,
{
    fn default() -> Self {
        Self {
            entries: Lists::new(),
            classes: Default::default(),
            length: 0,
        }
    }
}

impl Class {
    fn find(&self, key: Flow) -> Option<u32> {
        let is_it = |&flow: &u32| self.flows.get(flow).key == key;
        self.by_key.find(key, is_it).copied()
    }

    fn open(&mut self, key: Flow) -> u32 {
        let list = List::EMPTY;
        let flow = self.flows.insert(Queue { key, list }).place();
        self.flows.append(0, &mut self.round, flow);
        let flows = &self.flows;
        self.by_key
            .insert_unique(key, flow, |&flow| flows.get(flow).key);
        flow
    }

    fn close(&mut self, flow: u32) {
        self.flows.unlink(0, &mut self.round, flow);
        let key = self.flows.remove(flow).key;
        if let Ok(entry) = self.by_key.find_entry(key, |&other| other == flow) {
            entry.remove();
        }
    }

    /// The flow goes to the end of the round.
    fn pass_turn(&mut self, flow: u32) {
        self.flows.unlink(0, &mut self.round, flow);
        self.flows.append(0, &mut self.round, flow);
    }
}

impl<T: Copy> Waiters<T> {
    pub(crate) const fn len(&self) -> u32 {
        self.length
    }

    fn class(&self, class: Criticality) -> &Class {
        &self.classes[class.index()]
    }

    pub(crate) fn join(&mut self, class: Criticality, key: Flow, value: T) -> Ticket {
        let of_class = &mut self.classes[class.index()];
        let flow = match of_class.find(key) {
            Some(flow) => flow,
            None => of_class.open(key),
        };
        let ticket = self.entries.insert(Entry { class, flow, value });
        let place = ticket.place();
        self.entries.append(BY_AGE, &mut of_class.by_age, place);
        let list = &mut of_class.flows.get_mut(flow).list;
        self.entries.append(BY_FLOW, list, place);
        self.length += 1;
        ticket
    }

    /// Takes somebody out; none when that one was called already.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<T> {
        let place = self.entries.find(ticket)?;
        Some(self.take_out(place))
    }

    fn take_out(&mut self, place: u32) -> T {
        let Entry { class, flow, .. } = *self.entries.get(place);
        let of_class = &mut self.classes[class.index()];
        self.entries.unlink(BY_AGE, &mut of_class.by_age, place);
        let list = &mut of_class.flows.get_mut(flow).list;
        self.entries.unlink(BY_FLOW, list, place);
        if list.len() == 0 {
            of_class.close(flow);
        }
        self.length -= 1;
        self.entries.remove(place).value
    }

    /// Whose turn it is in a class.
    pub(crate) fn next(&self, class: Criticality) -> Option<Ticket> {
        let of_class = self.class(class);
        let flow = of_class.round.first()?;
        let place = of_class.flows.get(flow).list.first()?;
        Some(self.entries.ticket(place))
    }

    /// Calls the one whose turn it is in a class, and gives the turn to the next flow.
    pub(crate) fn call(&mut self, class: Criticality) -> Option<(Ticket, T)> {
        let ticket = self.next(class)?;
        let flow = self.entries.get(ticket.place()).flow;
        self.classes[class.index()].pass_turn(flow);
        Some((ticket, self.take_out(ticket.place())))
    }
}

#[cfg(test)]
mod tests;
