//! The connections of a worker: counted against their bound, told to leave, cut when time is over.
//!
//! Each direction leaves by itself: what others send may have ended long before what the workload sends does. And each has
//! places that the other cannot take: a flood from outside does not keep the workload from calling.

mod places;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use slab::Slab;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::report::Direction;
use places::Places;

/// How far a direction has got on its way out; it never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It is served.
    #[default]
    Open,
    /// It is served, and every client is told with its next answer to go elsewhere.
    Leaving,
    /// Nothing more is accepted, and connections end as soon as they carry no request.
    Closed,
}

/// Every accepted connection, and whether they should end.
#[derive(Debug)]
pub(crate) struct Connections {
    places: Cell<Places>,
    open: RefCell<Slab<Open>>,
    /// How many there were.
    entered: Cell<u64>,
    inbound: Cell<Phase>,
    outbound: Cell<Phase>,
    changed: Notify,
}

#[derive(Debug)]
struct Open {
    direction: Direction,
    /// Wakes a connection that waits for its next request.
    idle: Option<Waker>,
    task: Option<AbortHandle>,
}

/// One connection's place; dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Place {
    connections: Rc<Connections>,
    key: usize,
    number: u64,
    direction: Direction,
}

impl Connections {
    pub(crate) fn new(most: usize) -> Rc<Self> {
        Rc::new(Self {
            places: Cell::new(Places::new(most)),
            open: RefCell::default(),
            entered: Cell::new(0),
            inbound: Cell::default(),
            outbound: Cell::default(),
            changed: Notify::new(),
        })
    }

    /// A place for one more connection, unless the bound is reached.
    pub(crate) fn enter(self: &Rc<Self>, direction: Direction) -> Option<Place> {
        self.places.set(self.places.get().enter(direction)?);
        let key = self.open.borrow_mut().insert(Open {
            direction,
            idle: None,
            task: None,
        });
        Some(Place {
            connections: Rc::clone(self),
            key,
            number: self.entered.replace(self.entered.get() + 1),
            direction,
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.open.borrow().len()
    }

    /// How many places are taken in the direction that has the fewest left, and how many it can have.
    pub(crate) fn fullest(&self) -> (usize, usize) {
        self.places.get().fullest()
    }

    /// Has a direction go on to `phase`, unless it is further already; wakes its connections to hear of it.
    pub(crate) fn advance(&self, direction: Direction, phase: Phase) {
        let now = self.phase(direction);
        now.set(now.get().max(phase));
        self.changed.notify_waiters();
        let idle: Vec<Waker> = self
            .open
            .borrow_mut()
            .iter_mut()
            .filter(|(_, open)| open.direction == direction)
            .filter_map(|(_, open)| open.idle.take())
            .collect();
        idle.into_iter().for_each(Waker::wake);
    }

    const fn phase(&self, direction: Direction) -> &Cell<Phase> {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }

    fn has_begun_to_leave(&self) -> bool {
        self.inbound.get().max(self.outbound.get()) > Phase::Open
    }

    /// Resolves when nothing more is to be accepted.
    pub(crate) async fn closed(&self, direction: Direction) {
        while self.phase(direction).get() < Phase::Closed {
            self.changed.notified().await;
        }
    }

    /// Resolves when no connection is left; to be asked once some direction leaves.
    pub(crate) async fn all_gone(&self) {
        while self.count() > 0 {
            self.changed.notified().await;
        }
    }

    /// Ends what is left at once.
    pub(crate) fn cut(&self) {
        let tasks: Vec<AbortHandle> = self
            .open
            .borrow_mut()
            .iter_mut()
            .filter_map(|(_, open)| open.task.take())
            .collect();
        tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Place {
    /// What [`Connections::cut`] ends; called right after the connection's task was spawned.
    pub(crate) fn set_task(connections: &Connections, key: usize, task: AbortHandle) {
        if let Some(open) = connections.open.borrow_mut().get_mut(key) {
            open.task = Some(task);
        }
    }

    pub(crate) const fn key(&self) -> usize {
        self.key
    }

    /// Whether the client should go elsewhere after the request it sent.
    pub(crate) fn is_leaving(&self) -> bool {
        self.phase() >= Phase::Leaving
    }

    /// Whether the connection should end as soon as it carries no request.
    pub(crate) fn is_closed(&self) -> bool {
        self.phase() == Phase::Closed
    }

    fn phase(&self) -> Phase {
        self.connections.phase(self.direction).get()
    }

    /// A number that no other connection has.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Has the next phase wake `waker`, the task that waits for this connection's next request.
    pub(crate) fn watch(&self, waker: &Waker) {
        if let Some(open) = self.connections.open.borrow_mut().get_mut(self.key) {
            match &mut open.idle {
                Some(idle) => idle.clone_from(waker),
                idle => *idle = Some(waker.clone()),
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let connections = &self.connections;
        connections.open.borrow_mut().try_remove(self.key);
        let places = connections.places.get();
        connections.places.set(places.leave(self.direction));
        if self.connections.has_begun_to_leave() {
            self.connections.changed.notify_waiters();
        }
    }
}
