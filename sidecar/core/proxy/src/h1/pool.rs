//! Connections to one endpoint that rest between two requests, the youngest used first.

use std::cell::{Cell, RefCell};

use super::peer::Peer;
use crate::upstream::Retirement;

/// Connections to one endpoint that rest, at most.
const MOST_IDLE: usize = 1_024;

/// The resting connections to one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: RefCell<Vec<Idle>>,
    /// Whether the endpoint is gone, so that nothing comes back.
    is_closed: Cell<bool>,
}

#[derive(Debug)]
struct Idle {
    peer: Box<Peer>,
    since_ns: u64,
}

impl Idle {
    fn is_fit(&self, retirement: &Retirement, now_ns: u64) -> bool {
        !retirement.has_rested(self.since_ns, now_ns)
            && !self.peer.is_due(retirement, now_ns)
            && self.peer.is_quiet()
    }
}

impl Pool {
    /// The youngest resting connection that is fit.
    pub(super) fn take(&self, retirement: &Retirement, now_ns: u64) -> Option<Box<Peer>> {
        let mut idle = self.idle.borrow_mut();
        while let Some(next) = idle.pop() {
            if next.is_fit(retirement, now_ns) {
                return Some(next.peer);
            }
        }
        None
    }

    /// Has a connection rest, unless it is to be used no more.
    pub(super) fn put(&self, peer: Box<Peer>, retirement: &Retirement, now_ns: u64) {
        let mut idle = self.idle.borrow_mut();
        if !self.is_closed.get() && idle.len() < MOST_IDLE && !peer.is_due(retirement, now_ns) {
            let since_ns = now_ns;
            idle.push(Idle { peer, since_ns });
        }
    }

    /// Closes what has rested for too long, or was closed by the endpoint.
    pub(crate) fn sweep(&self, retirement: &Retirement, now_ns: u64) {
        self.idle
            .borrow_mut()
            .retain(|idle| idle.is_fit(retirement, now_ns));
    }

    /// Closes everything that rests; nothing comes back.
    pub(crate) fn close(&self) {
        self.is_closed.set(true);
        self.idle.take();
    }

    pub(crate) fn idle(&self) -> usize {
        self.idle.borrow().len()
    }

    /// Since when the longest resting connection rests.
    pub(crate) fn oldest_ns(&self) -> Option<u64> {
        self.idle.borrow().first().map(|idle| idle.since_ns)
    }

    /// Closes the longest resting connection.
    pub(crate) fn evict_oldest(&self) {
        let mut idle = self.idle.borrow_mut();
        if !idle.is_empty() {
            idle.remove(0);
        }
    }
}
