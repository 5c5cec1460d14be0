//! The connections of a worker: counted against their bound, told to leave, cut when time is over.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use slab::Slab;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// Every accepted connection, and whether they should end.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    open: RefCell<Slab<Open>>,
    /// How many there were.
    entered: Cell<u64>,
    draining: Cell<bool>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Open {
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
}

impl Connections {
    pub(crate) fn new(most: usize) -> Rc<Self> {
        Rc::new(Self {
            most,
            open: RefCell::default(),
            entered: Cell::new(0),
            draining: Cell::new(false),
            changed: Notify::new(),
        })
    }

    /// A place for one more connection, unless the bound is reached.
    pub(crate) fn enter(self: &Rc<Self>) -> Option<Place> {
        let mut open = self.open.borrow_mut();
        (open.len() < self.most).then(|| Place {
            connections: Rc::clone(self),
            key: open.insert(Open::default()),
            number: self.entered.replace(self.entered.get() + 1),
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.open.borrow().len()
    }

    pub(crate) const fn bound(&self) -> usize {
        self.most
    }

    /// Whether connections should end after the request they carry.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Has every connection end as soon as it carries no request.
    pub(crate) fn drain(&self) {
        self.draining.set(true);
        self.changed.notify_waiters();
        let idle: Vec<Waker> = self
            .open
            .borrow_mut()
            .iter_mut()
            .filter_map(|(_, open)| open.idle.take())
            .collect();
        idle.into_iter().for_each(Waker::wake);
    }

    /// Resolves when draining has begun.
    pub(crate) async fn drain_begun(&self) {
        while !self.is_draining() {
            self.changed.notified().await;
        }
    }

    /// Resolves when no connection is left.
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

    /// A number that no other connection has.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Has draining wake `waker`, the task that waits for this connection's next request.
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
        self.connections.open.borrow_mut().try_remove(self.key);
        if self.connections.is_draining() {
            self.connections.changed.notify_waiters();
        }
    }
}
