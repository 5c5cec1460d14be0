//! Connections to one endpoint, the first ones filled first, so that the others may rest.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

use super::link::Link;
use crate::clock::Clock;
use crate::exchange::Destination;
use crate::upstream::{InUse, Pools, Retirement};

/// The connections to one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    links: RefCell<Vec<Rc<Link>>>,
    /// Tells one of those that wait when there is room for a stream.
    freed: Notify,
    /// Whether the endpoint is gone, so that nothing is kept.
    is_closed: Cell<bool>,
}

/// The place of one stream on a connection; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) link: Rc<Link>,
    pools: Rc<Pools>,
    clock: Clock,
    /// Whether an exchange went over the connection before.
    pub(super) is_reused: bool,
}

impl Pool {
    /// A connection that carries streams and has room for one more.
    pub(super) fn find_busy(&self, retirement: &Retirement, now_ns: u64) -> Option<Rc<Link>> {
        self.find(|link| !link.rests() && link.room(retirement, now_ns) > 0)
    }

    /// A connection that rests and may be used.
    pub(super) fn find_resting(&self, retirement: &Retirement, now_ns: u64) -> Option<Rc<Link>> {
        self.find(|link| {
            link.rests() && link.is_fit(retirement, now_ns) && link.room(retirement, now_ns) > 0
        })
    }

    fn find(&self, is_wanted: impl Fn(&Link) -> bool) -> Option<Rc<Link>> {
        let links = self.links.borrow();
        links.iter().find(|link| is_wanted(link)).cloned()
    }

    /// Takes a new connection in.
    pub(super) fn add(&self, link: &Rc<Link>) {
        self.links.borrow_mut().push(Rc::clone(link));
    }

    /// Forgets a connection that has ended, or takes no more streams.
    pub(super) fn forget(&self, gone: &Rc<Link>) {
        gone.retire();
        self.links
            .borrow_mut()
            .retain(|link| !Rc::ptr_eq(link, gone));
        self.tell_freed();
    }

    /// Has one of those that wait look for room.
    pub(super) fn tell_freed(&self) {
        self.freed.notify_one();
    }

    /// Resolves when there may be room on a connection that had none.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Closes connections that have rested for too long, or are not to be used again.
    pub(crate) fn sweep(&self, retirement: &Retirement, now_ns: u64) {
        self.links.borrow_mut().retain(|link| {
            let is_fit = link.is_fit(retirement, now_ns);
            if !is_fit {
                link.retire();
            }
            is_fit
        });
    }

    /// Closes every connection once its streams have ended; nothing is kept.
    pub(crate) fn close(&self) {
        self.is_closed.set(true);
        self.links.take().iter().for_each(|link| link.retire());
    }

    /// How many connections rest.
    pub(crate) fn idle(&self) -> usize {
        self.links
            .borrow()
            .iter()
            .filter(|link| link.rests())
            .count()
    }

    /// Since when the longest resting connection rests.
    pub(crate) fn oldest_ns(&self) -> Option<u64> {
        self.oldest().map(|link| link.rests_since_ns())
    }

    /// Closes the longest resting connection.
    pub(crate) fn evict_oldest(&self) {
        if let Some(oldest) = self.oldest() {
            self.forget(&oldest);
        }
    }

    fn oldest(&self) -> Option<Rc<Link>> {
        let links = self.links.borrow();
        let resting = links.iter().filter(|link| link.rests());
        resting.min_by_key(|link| link.rests_since_ns()).cloned()
    }
}

impl Slot {
    /// One stream's place on `link`; `place` is the connection's among the cluster's, if it carried no stream.
    pub(super) fn take(
        link: Rc<Link>,
        pools: &Rc<Pools>,
        clock: Clock,
        place: Option<InUse>,
    ) -> Self {
        let is_reused = link.is_used();
        link.join(place);
        Self {
            link,
            pools: Rc::clone(pools),
            clock,
            is_reused,
        }
    }

    /// Whether no other stream is on its connection.
    pub(super) fn is_alone(&self) -> bool {
        self.link.streams() == 1
    }

    /// Whether there is room for another stream to `to` once it is given up.
    pub(super) fn leaves_room(&self, to: &Destination) -> bool {
        let retirement = Retirement::of(&to.cluster);
        Rc::ptr_eq(&self.pools, &to.pools) && self.link.is_fit(&retirement, self.clock.now_ns())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.link.leave(self.clock.now_ns());
        let pool = &self.pools.h2;
        if pool.is_closed.get() && self.link.rests() {
            pool.forget(&self.link);
        }
        pool.tell_freed();
    }
}
