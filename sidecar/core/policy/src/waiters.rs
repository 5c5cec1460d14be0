//! Those who wait, by class and flow, for whoever calls them to choose from.
//!
//! Within a class flows take turns: each gives one waiter, its oldest, and goes to the end of the round. That is
//! deficit round robin with one place for each request, and first in, first out where all are of one flow. A flow
//! exists while somebody of it waits. Whoever waits may leave at once, in constant time.
//!
//! Some may be *held* in front of those who wait: they are in no flow, and nobody calls them before they are let in.

use hashbrown::HashTable;

use crate::criticality::{CLASSES, Criticality};
use crate::lists::{List, Lists, Ticket};

/// Whom a waiter is counted with, a keyed hash: a route, or a tenant.
pub type Flow = u64;

/// Kinds of lists: those of a class who wait, or are held, by age; and those of a flow by age.
const BY_AGE: usize = 0;
const BY_FLOW: usize = 1;

#[derive(Clone, Debug)]
pub(crate) struct Waiters<T> {
    entries: Lists<Entry<T>, 2>,
    classes: [Class; CLASSES],
    waiting: u32,
    held: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    class: Criticality,
    key: Flow,
    /// The place of its flow; none while it is held.
    flow: Option<u32>,
    value: T,
}

/// All of one class.
#[derive(Clone, Debug)]
struct Class {
    by_age: List,
    held: List,
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
            held: List::EMPTY,
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
            waiting: 0,
            held: 0,
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
    /// How many wait.
    pub(crate) const fn len(&self) -> u32 {
        self.waiting
    }

    /// How many are held.
    pub(crate) const fn held(&self) -> u32 {
        self.held
    }

    fn class(&self, class: Criticality) -> &Class {
        &self.classes[class.index()]
    }

    pub(crate) fn len_of(&self, class: Criticality) -> u32 {
        self.class(class).by_age.len()
    }

    /// The most important class of which somebody waits.
    pub(crate) fn first_class(&self) -> Option<Criticality> {
        let mut classes = Criticality::ALL.into_iter();
        classes.find(|&class| self.len_of(class) > 0)
    }

    /// What is known of somebody who waits.
    pub(crate) fn get(&self, ticket: Ticket) -> Option<&T> {
        let place = self.entries.find(ticket)?;
        Some(&self.entries.get(place).value)
    }

    /// The one of a class that waits longest.
    pub(crate) fn oldest(&self, class: Criticality) -> Option<Ticket> {
        let place = self.class(class).by_age.first()?;
        Some(self.entries.ticket(place))
    }

    /// The one of a class that came last.
    pub(crate) fn newest(&self, class: Criticality) -> Option<Ticket> {
        let place = self.class(class).by_age.last()?;
        Some(self.entries.ticket(place))
    }

    /// The newest of the flow that has most of a class waiting, if that is at least two more than `key` has.
    pub(crate) fn newest_of_longest(&self, class: Criticality, key: Flow) -> Option<Ticket> {
        let of_class = self.class(class);
        let length = |flow: u32| of_class.flows.get(flow).list.len();
        let own = of_class.find(key).map_or(0, length);
        let flows = of_class.flows.iter(0, &of_class.round);
        let longest = flows.max_by_key(|&flow| length(flow))?;
        let place = of_class.flows.get(longest).list.last()?;
        (length(longest) > own + 1).then(|| self.entries.ticket(place))
    }

    /// Has somebody wait.
    pub(crate) fn join(&mut self, class: Criticality, key: Flow, value: T) -> Ticket {
        let ticket = self.enter(class, key, value);
        self.queue_up(ticket.place());
        ticket
    }

    /// Holds somebody.
    pub(crate) fn hold(&mut self, class: Criticality, key: Flow, value: T) -> Ticket {
        let ticket = self.enter(class, key, value);
        let held = &mut self.classes[class.index()].held;
        self.entries.append(BY_AGE, held, ticket.place());
        self.held += 1;
        ticket
    }

    /// Lets the most important one that is held wait, of those the one that is held longest.
    pub(crate) fn let_in(&mut self) -> Option<&mut T> {
        let place = self.classes.iter().find_map(|class| class.held.first())?;
        let class = self.entries.get(place).class;
        let held = &mut self.classes[class.index()].held;
        self.entries.unlink(BY_AGE, held, place);
        self.held -= 1;
        self.queue_up(place);
        Some(&mut self.entries.get_mut(place).value)
    }

    /// Whether somebody is still held.
    pub(crate) fn is_held(&self, ticket: Ticket) -> bool {
        let place = self.entries.find(ticket);
        place.is_some_and(|place| self.entries.get(place).flow.is_none())
    }

    fn enter(&mut self, class: Criticality, key: Flow, value: T) -> Ticket {
        self.entries.insert(Entry {
            class,
            key,
            flow: None,
            value,
        })
    }

    fn queue_up(&mut self, place: u32) {
        let Entry { class, key, .. } = *self.entries.get(place);
        let of_class = &mut self.classes[class.index()];
        let flow = match of_class.find(key) {
            Some(flow) => flow,
            None => of_class.open(key),
        };
        self.entries.get_mut(place).flow = Some(flow);
        self.entries.append(BY_AGE, &mut of_class.by_age, place);
        let list = &mut of_class.flows.get_mut(flow).list;
        self.entries.append(BY_FLOW, list, place);
        self.waiting += 1;
    }

    /// Takes somebody out; none when that one was called already.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<T> {
        let place = self.entries.find(ticket)?;
        Some(self.take_out(place))
    }

    fn take_out(&mut self, place: u32) -> T {
        let Entry { class, flow, .. } = *self.entries.get(place);
        let of_class = &mut self.classes[class.index()];
        match flow {
            None => {
                self.entries.unlink(BY_AGE, &mut of_class.held, place);
                self.held -= 1;
            }
            Some(flow) => {
                self.entries.unlink(BY_AGE, &mut of_class.by_age, place);
                let list = &mut of_class.flows.get_mut(flow).list;
                self.entries.unlink(BY_FLOW, list, place);
                if list.len() == 0 {
                    of_class.close(flow);
                }
                self.waiting -= 1;
            }
        }
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
        Some(self.call_out(class, ticket))
    }

    /// The same, but of the flow whose turn it is the one that came last.
    pub(crate) fn call_newest(&mut self, class: Criticality) -> Option<(Ticket, T)> {
        let of_class = self.class(class);
        let flow = of_class.round.first()?;
        let place = of_class.flows.get(flow).list.last()?;
        Some(self.call_out(class, self.entries.ticket(place)))
    }

    fn call_out(&mut self, class: Criticality, ticket: Ticket) -> (Ticket, T) {
        if let Some(flow) = self.entries.get(ticket.place()).flow {
            self.classes[class.index()].pass_turn(flow);
        }
        (ticket, self.take_out(ticket.place()))
    }
}

#[cfg(test)]
mod tests;
