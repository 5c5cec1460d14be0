//! Asking for what the configuration lacks: few names at once, each once, and not again while it is known to be
//! unknown. So random names storm nobody.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::handle::{Demand, Supply, Wanted};
use crate::settings::Bounds;

/// How long a name is remembered as unknown.
const UNKNOWN_NS: u64 = 10_000_000_000;
/// How long a request waits at most.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How long an answer is waited for after the request has gone.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);

/// What is asked for now, and what is known to be unknown.
#[derive(Debug)]
pub(crate) struct Demands {
    clock: Clock,
    outlet: mpsc::Sender<Demand>,
    most: usize,
    most_unknown: usize,
    pending: RefCell<HashMap<Wanted, Rc<Pending>>>,
    unknown: RefCell<HashMap<Wanted, u64>>,
    refused: Cell<u64>,
}

#[derive(Debug, Default)]
struct Pending {
    supply: Cell<Option<Supply>>,
    answered: Notify,
}

impl Demands {
    pub(crate) fn new(outlet: mpsc::Sender<Demand>, bounds: &Bounds, clock: Clock) -> Rc<Self> {
        Rc::new(Self {
            clock,
            outlet,
            most: bounds.max_demands,
            most_unknown: bounds.max_unknown,
            pending: RefCell::default(),
            unknown: RefCell::default(),
            refused: Cell::new(0),
        })
    }

    /// Whether a name was found not to exist lately.
    pub(crate) fn is_unknown(&self, wanted: &Wanted, now_ns: u64) -> bool {
        self.unknown
            .borrow()
            .get(wanted)
            .is_some_and(|&until_ns| now_ns < until_ns)
    }

    /// Asks for a name, or joins those who wait for it, at most a second and as long as `left` is.
    pub(crate) async fn ask(self: &Rc<Self>, wanted: &Wanted, left: Option<Duration>) -> Supply {
        let Some(pending) = self.find_or_send(wanted) else {
            self.refused.set(self.refused.get() + 1);
            return Supply::Unavailable;
        };
        let wait = left.map_or(LONGEST_WAIT, |left| left.min(LONGEST_WAIT));
        timeout(wait, pending.supply())
            .await
            .unwrap_or(Supply::Unavailable)
    }

    fn find_or_send(self: &Rc<Self>, wanted: &Wanted) -> Option<Rc<Pending>> {
        let mut all = self.pending.borrow_mut();
        if let Some(pending) = all.get(wanted) {
            return Some(Rc::clone(pending));
        }
        if all.len() >= self.most {
            return None;
        }
        let (reply, answer) = oneshot::channel();
        self.outlet
            .try_send(Demand {
                wanted: wanted.clone(),
                reply,
            })
            .ok()?;
        let pending = Rc::new(Pending::default());
        all.insert(wanted.clone(), Rc::clone(&pending));
        spawn_local(Rc::clone(self).receive(wanted.clone(), answer, Rc::clone(&pending)));
        Some(pending)
    }

    /// Takes the answer in, whether or not anybody still waits for it.
    async fn receive(
        self: Rc<Self>,
        wanted: Wanted,
        answer: oneshot::Receiver<Supply>,
        pending: Rc<Pending>,
    ) {
        let supply = match timeout(LONGEST_ANSWER, answer).await {
            Ok(Ok(supply)) => supply,
            _ => Supply::Unavailable,
        };
        self.pending.borrow_mut().remove(&wanted);
        if supply == Supply::Unknown {
            self.remember(wanted, self.clock.now_ns());
        }
        pending.supply.set(Some(supply));
        pending.answered.notify_waiters();
    }

    /// Remembers an unknown name, as long as there is room for one.
    fn remember(&self, wanted: Wanted, now_ns: u64) {
        let mut unknown = self.unknown.borrow_mut();
        if unknown.len() >= self.most_unknown {
            unknown.retain(|_, until_ns| now_ns < *until_ns);
        }
        if unknown.len() < self.most_unknown {
            unknown.insert(wanted, now_ns + UNKNOWN_NS);
        }
    }

    /// How many of each fit.
    pub(crate) const fn bounds(&self) -> (usize, usize) {
        (self.most, self.most_unknown)
    }

    /// Names asked for, names known to be unknown, and demands refused because there were too many.
    pub(crate) fn size(&self) -> (usize, usize, u64) {
        (
            self.pending.borrow().len(),
            self.unknown.borrow().len(),
            self.refused.get(),
        )
    }
}

impl Pending {
    async fn supply(&self) -> Supply {
        loop {
            if let Some(supply) = self.supply.get() {
                return supply;
            }
            self.answered.notified().await;
        }
    }
}

#[cfg(test)]
mod tests;
