//! What stands in front of an application, as tasks meet it: the pure machine, a waker for each ticket, and which
//! traces hold permits.

mod counts;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use policy::backpressure::{Arrival, Backpressure, Entry as Verdict, Event, Mode, Params, Ticket};
use policy::{Percent, Reason};
use smallvec::SmallVec;

use crate::clock::Clock;
use crate::config;
use crate::trace::Key;
pub(crate) use counts::Counts;

/// Every key that a request's own calls may carry.
pub(crate) type Keys = SmallVec<[Key; 2]>;

/// What stands in front of one application.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) counts: Counts,
    machine: RefCell<Backpressure>,
    waiters: RefCell<HashMap<Ticket, Rc<Waiter>>>,
    /// How many permits each key holds; kept only where somebody may be held for them.
    holders: RefCell<HashMap<Key, u32>>,
    clock: Clock,
}

/// How some requests come to it. Others with the same figures may have the same front, and other classes.
#[derive(Clone, Debug)]
pub(crate) struct Approach {
    pub(crate) front: Rc<Front>,
    /// What is said of these requests.
    pub(crate) rules: Rc<config::Backpressure>,
}

#[derive(Debug, Default)]
struct Waiter {
    /// What becomes of it, and since when that is so.
    told: Cell<Option<(Result<(), Reason>, u64)>>,
    waker: RefCell<Option<Waker>>,
}

/// What becomes of an arrival.
#[derive(Debug)]
pub(crate) enum Entry {
    Runs(Permit),
    Waits(Wait),
    /// Held in front of the queue, for so long.
    Held(Wait, u64),
    Refused(Reason),
}

/// One permit; dropping it gives it back, and calls whoever is next.
#[derive(Debug)]
pub(crate) struct Permit {
    front: Rc<Front>,
    keys: Keys,
    latency_ns: Option<u64>,
}

/// A place in the queue; resolves with what becomes of it. Dropping it leaves the queue, or passes a permit on.
#[derive(Debug)]
pub(crate) struct Wait {
    front: Rc<Front>,
    /// Taken when the wait is over.
    place: Option<(Ticket, Rc<Waiter>)>,
}

impl Front {
    pub(crate) fn new(params: Params, clock: Clock) -> Rc<Self> {
        Rc::new(Self {
            machine: RefCell::new(Backpressure::new(params)),
            counts: Counts::default(),
            waiters: RefCell::default(),
            holders: RefCell::default(),
            clock,
        })
    }

    /// Takes other figures; whom they let run, runs.
    pub(crate) fn reconfigure(&self, params: Params) {
        let now_ns = self.clock.now_ns();
        self.machine.borrow_mut().reconfigure(params, now_ns);
        self.tell();
    }

    /// Lets an arrival run, has it wait, or turns it away; `keys` find those that it may have to wait for.
    pub(crate) fn enter(self: &Rc<Self>, arrival: &Arrival, now_ns: u64) -> Entry {
        let verdict = self.machine.borrow_mut().arrive(arrival, now_ns);
        self.tell();
        match verdict {
            Verdict::Runs => Entry::Runs(self.permit()),
            Verdict::Waits(ticket) => Entry::Waits(self.join(ticket)),
            Verdict::Held { ticket, for_ns } => Entry::Held(self.join(ticket), for_ns),
            Verdict::Refused(reason) => Entry::Refused(reason),
        }
    }

    fn permit(self: &Rc<Self>) -> Permit {
        Permit {
            front: Rc::clone(self),
            keys: Keys::new(),
            latency_ns: None,
        }
    }

    fn join(self: &Rc<Self>, ticket: Ticket) -> Wait {
        let waiter = Rc::new(Waiter::default());
        self.waiters.borrow_mut().insert(ticket, Rc::clone(&waiter));
        Wait {
            front: Rc::clone(self),
            place: Some((ticket, waiter)),
        }
    }

    /// Whether a request of this key holds a permit.
    pub(crate) fn is_held_by(&self, key: Option<Key>) -> bool {
        key.is_some_and(|key| self.holders.borrow().contains_key(&key))
    }

    /// What would become of an arrival; nothing changes.
    pub(crate) fn foresee(&self, arrival: &Arrival, now_ns: u64) -> Verdict {
        self.machine.borrow().clone().arrive(arrival, now_ns)
    }

    /// The share of throttled arrivals that was admitted lately, if any were throttled.
    pub(crate) fn admit_rate(&self, now_ns: u64) -> Option<Percent> {
        if !matches!(self.mode(), Some(Mode::Throttle { .. })) {
            return None;
        }
        self.machine.borrow_mut().admit_rate(now_ns)
    }

    /// Looks at the machine as it stands now.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&mut Backpressure) -> T) -> T {
        let mut machine = self.machine.borrow_mut();
        machine.look(self.clock.now_ns());
        at(&mut machine)
    }

    fn mode(&self) -> Option<Mode> {
        Some(self.machine.borrow().params().queue?.mode)
    }

    /// Turns away everybody who waits: none of them has reached the application, which leaves.
    pub(crate) fn dismiss(&self) {
        let now_ns = self.clock.now_ns();
        let first = || self.waiters.borrow().keys().next().copied();
        while let Some(ticket) = first() {
            self.call(ticket, Err(Reason::Draining));
            self.machine.borrow_mut().abandon(ticket, now_ns);
            self.tell();
        }
    }

    /// Passes on what became of those who wait.
    fn tell(&self) {
        loop {
            let event = self.machine.borrow_mut().next_event();
            match event {
                Some(Event::Runs(ticket)) => self.call(ticket, Ok(())),
                Some(Event::Refused(ticket, reason)) => self.call(ticket, Err(reason)),
                None => return,
            }
        }
    }

    fn call(&self, ticket: Ticket, told: Result<(), Reason>) {
        let Some(waiter) = self.waiters.borrow_mut().remove(&ticket) else {
            return;
        };
        waiter.told.set(Some((told, self.clock.now_ns())));
        if let Some(waker) = waiter.waker.take() {
            waker.wake();
        }
    }

    fn abandon(&self, ticket: Ticket) {
        self.waiters.borrow_mut().remove(&ticket);
        let now_ns = self.clock.now_ns();
        self.machine.borrow_mut().abandon(ticket, now_ns);
        self.tell();
    }

    fn finish(&self, keys: &Keys, latency_ns: Option<u64>) {
        let mut holders = self.holders.borrow_mut();
        for key in keys {
            if let Some(count) = holders.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    holders.remove(key);
                }
            }
        }
        drop(holders);
        let now_ns = self.clock.now_ns();
        self.machine.borrow_mut().finish(latency_ns, now_ns);
        self.tell();
    }
}

impl Permit {
    /// Has calls of these keys know that a permit is held.
    pub(crate) fn hold_for(&mut self, keys: impl FnOnce() -> Keys) {
        if !matches!(self.front.mode(), Some(Mode::Block { .. })) {
            return;
        }
        self.keys = keys();
        let mut holders = self.front.holders.borrow_mut();
        for key in &self.keys {
            *holders.entry(*key).or_default() += 1;
        }
    }

    /// Gives it back, with how long the application took.
    pub(crate) fn finish(mut self, latency_ns: Option<u64>) {
        self.latency_ns = latency_ns;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.front.finish(&self.keys, self.latency_ns);
    }
}

impl Wait {
    /// What became of it, and when, if it is told by now.
    pub(crate) fn take(&mut self) -> Option<(Result<Permit, Reason>, u64)> {
        let (told, at_ns) = self.place.as_ref()?.1.told.get()?;
        self.place = None;
        Some((told.map(|()| self.front.permit()), at_ns))
    }

    /// Ends a wait in front of the queue that took too long; false when it waits in the queue, or runs, by now.
    pub(crate) fn expire(&mut self) -> bool {
        let Some((ticket, _)) = &self.place else {
            return false;
        };
        let has_expired = self.front.machine.borrow_mut().expire(*ticket);
        if has_expired {
            self.front.waiters.borrow_mut().remove(ticket);
            self.place = None;
        }
        has_expired
    }
}

impl Future for Wait {
    type Output = Result<Permit, Reason>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let told = self.place.as_ref().and_then(|(_, waiter)| {
            let told = waiter.told.get();
            if told.is_none() {
                waiter.waker.replace(Some(cx.waker().clone()));
            }
            told
        });
        let Some(told) = told else {
            return Poll::Pending;
        };
        self.place = None;
        Poll::Ready(told.0.map(|()| self.front.permit()))
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let Some((ticket, waiter)) = self.place.take() else {
            return;
        };
        if !matches!(waiter.told.get(), Some((Err(_), _))) {
            self.front.abandon(ticket);
        }
    }
}

#[cfg(test)]
mod tests;
