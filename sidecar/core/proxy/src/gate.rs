//! A bulkhead that tasks can wait at: the pure machine, and a waker for each ticket in its line.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use policy::Criticality;
use policy::bulkhead::{Arrival, Bulkhead, Claim, NO_LANES, Params, Ticket};

/// A bulkhead with its waiters.
#[derive(Debug)]
pub(crate) struct Gate {
    machine: RefCell<Bulkhead>,
    waiters: RefCell<HashMap<Ticket, Rc<Waiter>>>,
}

#[derive(Debug, Default)]
struct Waiter {
    called: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// What becomes of an arrival.
#[derive(Debug)]
pub(crate) enum Entry {
    Open(Permit),
    Wait(Wait),
    Full,
}

/// One permit; dropping it gives it back, and calls the next in line.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Rc<Gate>,
    class: Criticality,
}

/// A place in the line; resolves with the permit. Dropping it leaves the line, or passes a permit on.
#[derive(Debug)]
pub(crate) struct Wait {
    gate: Rc<Gate>,
    class: Criticality,
    /// Taken when the permit was handed out.
    place: Option<(Ticket, Rc<Waiter>)>,
}

impl Gate {
    pub(crate) fn new(params: Params) -> Rc<Self> {
        Rc::new(Self {
            machine: RefCell::new(Bulkhead::new(params)),
            waiters: RefCell::default(),
        })
    }

    /// Whether some classes have permits for themselves, so that it matters which one enters.
    pub(crate) fn has_lanes(&self) -> bool {
        self.machine.borrow().params().lanes != NO_LANES
    }

    /// Lets an arrival of a class in, has it wait, or turns it away.
    pub(crate) fn enter(self: &Rc<Self>, class: Criticality) -> Entry {
        self.enter_as(Claim {
            class,
            ..Claim::default()
        })
    }

    /// The same with one that takes turns with those of other flows.
    pub(crate) fn enter_as(self: &Rc<Self>, claim: Claim) -> Entry {
        let class = claim.class;
        let arrival = self.machine.borrow_mut().acquire(claim);
        match arrival {
            Arrival::Acquired => Entry::Open(self.permit(class)),
            Arrival::Queued(ticket) => Entry::Wait(self.join(ticket, class)),
            Arrival::Full => Entry::Full,
        }
    }

    /// Lets an arrival in if it need not wait.
    pub(crate) fn enter_at_once(self: &Rc<Self>, class: Criticality) -> Option<Permit> {
        if !self.look(Bulkhead::is_open) {
            return None;
        }
        match self.enter(class) {
            Entry::Open(permit) => Some(permit),
            Entry::Wait(_) | Entry::Full => None,
        }
    }

    fn permit(self: &Rc<Self>, class: Criticality) -> Permit {
        Permit {
            gate: Rc::clone(self),
            class,
        }
    }

    fn join(self: &Rc<Self>, ticket: Ticket, class: Criticality) -> Wait {
        let waiter = Rc::new(Waiter::default());
        self.waiters.borrow_mut().insert(ticket, Rc::clone(&waiter));
        Wait {
            gate: Rc::clone(self),
            class,
            place: Some((ticket, waiter)),
        }
    }

    /// Takes new figures; whom they let in goes in.
    pub(crate) fn reconfigure(&self, params: Params) {
        self.machine.borrow_mut().reconfigure(params);
        loop {
            let next = self.machine.borrow_mut().admit_next();
            let Some(ticket) = next else { return };
            self.call(ticket);
        }
    }

    /// How long an arrival with so much time left may wait.
    pub(crate) fn queue_timeout_ns(&self, left_ns: Option<u64>) -> u64 {
        self.machine.borrow().queue_timeout_ns(left_ns)
    }

    /// Looks at the machine.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Bulkhead) -> T) -> T {
        at(&self.machine.borrow())
    }

    fn call(&self, ticket: Ticket) {
        let Some(waiter) = self.waiters.borrow_mut().remove(&ticket) else {
            return;
        };
        waiter.called.set(true);
        let waker = waiter.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn release(&self, class: Criticality) {
        let next = self.machine.borrow_mut().release(class);
        if let Some(ticket) = next {
            self.call(ticket);
        }
    }

    fn abandon(&self, ticket: Ticket, class: Criticality) {
        self.waiters.borrow_mut().remove(&ticket);
        let next = self.machine.borrow_mut().abandon(ticket, class);
        if let Some(ticket) = next {
            self.call(ticket);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.release(self.class);
    }
}

impl Wait {
    /// Whether its turn has come.
    pub(crate) fn is_called(&self) -> bool {
        let place = self.place.as_ref();
        place.is_none_or(|(_, waiter)| waiter.called.get())
    }
}

impl Future for Wait {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit> {
        let is_called = self.place.as_ref().is_none_or(|(_, waiter)| {
            if !waiter.called.get() {
                waiter.waker.replace(Some(cx.waker().clone()));
            }
            waiter.called.get()
        });
        if !is_called {
            return Poll::Pending;
        }
        self.place = None;
        Poll::Ready(self.gate.permit(self.class))
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some((ticket, _)) = self.place.take() {
            self.gate.abandon(ticket, self.class);
        }
    }
}

#[cfg(test)]
mod tests;
