//! Mirror: copies of a request for other services. Nobody waits for a copy, and what becomes of one is counted and
//! changes nothing else: no breaker, no budget, no limit hears of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use policy::split::Turns;
use smallvec::SmallVec;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::endpoint::Affinity;
use super::route;
use crate::config::RouteMirror;
use crate::exchange::Destination;
use crate::rules::Rule;
use crate::tally::increment;
use crate::worker::Worker;

/// Bytes of body that a request may have to be copied: it is kept until all of it is here.
pub(crate) const BODY_BYTES: u64 = 65_536;
/// Copies under way at once, and bytes of body in all of them.
const MOST: u32 = 100;
const MOST_BYTES: u64 = 1 << 20;
/// How long a copy takes at most, from its choice of an endpoint to the end of its answer.
const LONGEST: Duration = Duration::from_secs(15);

/// What became of a request that was to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fate {
    /// The copy was answered, in whatever way.
    Answered,
    /// It found no endpoint or no connection, or that broke.
    Failed,
    /// It was not answered in time.
    TimedOut,
    /// The body was longer than what is kept.
    TooLarge,
    /// Too many copies were under way.
    NoRoom,
    /// The request itself was refused, or never came whole.
    Unsent,
}

/// Where copies of a rule's requests go, and what became of them.
#[derive(Debug)]
pub(crate) struct Mirror {
    pub(crate) config: RouteMirror,
    turns: RefCell<Turns>,
    fates: Rc<[Cell<u64>; Fate::ALL.len()]>,
}

/// Copies that a request is to have. Those that are not sent are counted as such.
#[derive(Debug)]
pub(crate) struct Due(SmallVec<[Rc<Mirror>; 1]>);

/// All copies under way.
#[derive(Debug, Default)]
pub(crate) struct Room {
    copies: Cell<u32>,
    bytes: Cell<u64>,
}

/// The place of one copy; dropping it gives it back.
struct Place {
    room: Rc<Room>,
    bytes: u64,
}

/// How far a request's body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept<B> {
    Coming,
    Whole(B),
    /// It is longer than what is kept.
    TooLong,
}

/// A whole request, in some protocol.
pub(crate) trait Duplicate: Clone + 'static {
    fn body_bytes(&self) -> u64;
    /// Sends it, and reads its answer to throw it away.
    async fn send(self, worker: &Rc<Worker>, to: &Destination) -> Result<(), Lost>;
}

/// Nobody answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lost;

impl Fate {
    pub(crate) const ALL: [Self; 6] = [
        Self::Answered,
        Self::Failed,
        Self::TimedOut,
        Self::TooLarge,
        Self::NoRoom,
        Self::Unsent,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::TimedOut => "timeout",
            Self::TooLarge => "too_large",
            Self::NoRoom => "no_room",
            Self::Unsent => "unsent",
        }
    }
}

impl Mirror {
    /// Goes on with the counts of an `old` one to the same place, and with its turns where the share stays.
    pub(crate) fn new(config: &RouteMirror, old: &[Rc<Self>]) -> Rc<Self> {
        let to = |mirror: &RouteMirror| (mirror.service.clone(), mirror.port);
        let mut old = old.iter().filter(|old| to(&old.config) == to(config));
        let heir = old.clone().find(|old| old.config == *config);
        if let Some(same) = heir {
            return Rc::clone(same);
        }
        Rc::new(Self {
            config: config.clone(),
            turns: RefCell::default(),
            fates: old
                .next()
                .map(|old| Rc::clone(&old.fates))
                .unwrap_or_default(),
        })
    }

    /// How many requests met that fate.
    pub(crate) fn count(&self, fate: Fate) -> u64 {
        self.fates[fate as usize].get()
    }

    fn note(&self, fate: Fate) {
        increment(&self.fates[fate as usize]);
    }

    /// Whether it is the next request's turn to be copied.
    fn is_due(&self) -> bool {
        let RouteMirror {
            numerator,
            denominator,
            ..
        } = self.config;
        let weights = [numerator, denominator.saturating_sub(numerator)];
        let next = self.turns.borrow_mut().next(2, |at| weights[at]);
        next == Some(0)
    }
}

impl Due {
    /// The copies of the next request of a rule, if it has any.
    pub(crate) fn of(rule: &Rule) -> Option<Box<Self>> {
        let due = rule.mirrors.iter().filter(|mirror| mirror.is_due());
        let due: SmallVec<_> = due.cloned().collect();
        (!due.is_empty()).then(|| Box::new(Self(due)))
    }

    /// Sends none of them.
    pub(crate) fn give_up(mut self, fate: Fate) {
        self.0.drain(..).for_each(|mirror| mirror.note(fate));
    }

    /// Sends all of them, as far as there is room.
    pub(crate) fn send(mut self, worker: &Rc<Worker>, copy: &impl Duplicate) {
        for mirror in self.0.drain(..) {
            match Place::take(&worker.mirrored, copy.body_bytes()) {
                Some(place) => {
                    let carrying = carry(Rc::clone(worker), mirror, copy.clone(), place);
                    spawn_local(carrying);
                }
                None => mirror.note(Fate::NoRoom),
            }
        }
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        self.0.iter().for_each(|mirror| mirror.note(Fate::Unsent));
    }
}

impl Room {
    /// How many copies are under way.
    pub(crate) const fn copies(&self) -> u32 {
        self.copies.get()
    }
}

impl Place {
    fn take(room: &Rc<Room>, bytes: u64) -> Option<Self> {
        let (copies, all) = (room.copies.get() + 1, room.bytes.get() + bytes);
        if copies > MOST || all > MOST_BYTES {
            return None;
        }
        room.copies.set(copies);
        room.bytes.set(all);
        Some(Self {
            room: Rc::clone(room),
            bytes,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.copies.set(self.room.copies.get() - 1);
        self.room.bytes.set(self.room.bytes.get() - self.bytes);
    }
}

async fn carry(worker: Rc<Worker>, mirror: Rc<Mirror>, copy: impl Duplicate, place: Place) {
    let fate = match timeout(LONGEST, deliver(&worker, &mirror.config, copy)).await {
        Ok(Ok(())) => Fate::Answered,
        Ok(Err(Lost)) => Fate::Failed,
        Err(_) => Fate::TimedOut,
    };
    mirror.note(fate);
    drop(place);
}

/// Sends a copy to an endpoint that calls of the service would be sent to.
async fn deliver(worker: &Rc<Worker>, to: &RouteMirror, copy: impl Duplicate) -> Result<(), Lost> {
    let route = route::reach_port(worker, &to.service, to.port).await;
    let route::Route {
        cluster, endpoints, ..
    } = route.map_err(|_| Lost)?;
    let now_ns = worker.clock.now_ns();
    let picked = endpoints.pick(worker, &cluster, &Affinity::default(), None, now_ns);
    let picked = picked.map_err(|_| Lost)?;
    let to = Destination {
        address: picked.address,
        pools: Rc::clone(&picked.pools),
        cluster,
        flow: 0,
        is_foreseen: false,
    };
    // The breaker's permit goes back unused: the copy says nothing of the endpoint.
    drop(picked);
    copy.send(worker, &to).await
}

#[cfg(test)]
mod tests;
