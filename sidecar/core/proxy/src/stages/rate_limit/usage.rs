//! What was used of a service's limits. It outlives configurations: whoever was charged under an older one gives back
//! here, to the same limiter or, if that is gone, to nobody.

use std::cell::{Ref, RefCell};

use policy::Moment;
use policy::rate_limit::{Limiter, Params};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Where a limiter is, for as long as its limit is stated.
pub(super) type Slot = usize;

/// The limiters of one service.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    limiters: RefCell<Vec<Limiter>>,
    vacant: RefCell<Vec<Slot>>,
    /// Wakes those in line when somebody before them left.
    stirred: Notify,
}

impl Usage {
    /// Takes a new limit in.
    pub(super) fn enter(&self, params: Params) -> Slot {
        let mut limiters = self.limiters.borrow_mut();
        match self.vacant.borrow_mut().pop() {
            Some(slot) => {
                limiters[slot].renew(params);
                slot
            }
            None => {
                limiters.push(Limiter::new(params));
                limiters.len() - 1
            }
        }
    }

    /// Forgets a limit that is stated no more; those in its line may go on.
    pub(super) fn leave(&self, slot: Slot) {
        let limiter = &mut self.limiters.borrow_mut()[slot];
        limiter.renew(*limiter.params());
        self.vacant.borrow_mut().push(slot);
        self.stirred.notify_waiters();
    }

    /// Takes other figures for a limit, and keeps what was used; those in its line look again.
    pub(super) fn reconfigure(&self, slot: Slot, params: Params, at: Moment) {
        self.limiters.borrow_mut()[slot].reconfigure(params, at);
        self.stirred.notify_waiters();
    }

    pub(super) fn limiters(&self) -> Ref<'_, Vec<Limiter>> {
        self.limiters.borrow()
    }

    /// Changes limiters, and wakes those in line if that moved them.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut [Limiter]) -> T) -> T {
        let mut limiters = self.limiters.borrow_mut();
        let result = change(&mut limiters);
        let mut is_stirred = false;
        for limiter in &mut *limiters {
            is_stirred |= limiter.take_stir();
        }
        if is_stirred {
            self.stirred.notify_waiters();
        }
        result
    }

    /// Resolves when somebody left a line after this call.
    pub(super) fn stirred(&self) -> Notified<'_> {
        self.stirred.notified()
    }
}
