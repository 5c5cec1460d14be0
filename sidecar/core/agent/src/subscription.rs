//! What the sidecar asks the control plane for: its own resources always, names on demand.
//!
//! A name is a host, or a service that a port of its own leads to. It moves `Queued -> Asked -> Bound | Missing`.
//! Few are asked for at once, and what does not exist is remembered for a while, so that random names storm nobody;
//! a bound name that nobody calls lapses. Pure: the caller says when things happen, and sends what `take_changes`
//! hands it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::resource::{Id, Kind};

/// Names that are asked for and not answered yet, at most.
const ASKED_AT_ONCE: usize = 64;
/// Names that wait to be asked for, and those remembered to be missing, at most each.
const REMEMBERED: usize = 1_024;
/// Names bound, at most: with all that stands behind them, what a control plane lets one stream want.
const BOUND: usize = 5_000;
/// How long a missing name is remembered, and how long an answer is waited for.
const MISSING: Duration = Duration::from_secs(10);
/// How long a bound name stays without a call.
const IDLE: Duration = Duration::from_secs(3_600);

/// What a demand meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// The name is subscribed to and bound.
    Bound,
    /// The control plane said lately that it does not exist.
    Missing,
    /// It is asked for; an answer follows.
    Asked,
    /// Too many unknown names are asked for already.
    Refused,
}

/// What the control plane is told next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) subscribe: Vec<Id>,
    pub(crate) unsubscribe: Vec<Id>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.subscribe.is_empty() && self.unsubscribe.is_empty()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Queued,
    Asked { since: Instant },
    Missing { since: Instant },
    Bound { used: Instant },
}

/// Everything the sidecar asks for.
#[derive(Debug)]
pub(crate) struct Subscription {
    own: BTreeSet<Id>,
    /// What follows from all that is held: endpoints of our own services, whose members share limits with us, and
    /// services whose addresses may be called.
    followed: BTreeSet<Id>,
    /// Those of them of which nothing has been said yet.
    awaited: BTreeSet<Id>,
    names: BTreeMap<Id, State>,
    queue: VecDeque<Id>,
    changes: Changes,
}

impl Subscription {
    /// Asks for `own` for ever, and for nothing else yet.
    pub(crate) fn new(own: impl IntoIterator<Item = Id>) -> Self {
        let own = own.into_iter().collect();
        Self {
            own,
            followed: BTreeSet::new(),
            awaited: BTreeSet::new(),
            names: BTreeMap::new(),
            queue: VecDeque::new(),
            changes: Changes::default(),
        }
    }

    /// Asks for what is `followed` too. What is no longer needed is dropped with the next stream.
    pub(crate) fn follow(&mut self, followed: BTreeSet<Id>) {
        let new: Vec<Id> = followed.difference(&self.followed).cloned().collect();
        self.changes.subscribe.extend(new.iter().cloned());
        self.awaited.retain(|id| followed.contains(id));
        self.awaited.extend(new);
        self.followed = followed;
    }

    /// Whether `id` is followed, and nothing has been said of it.
    pub(crate) fn awaits(&self, id: &Id) -> bool {
        self.awaited.contains(id)
    }

    /// The control plane gave `id`, of no use though it may be.
    pub(crate) fn answered(&mut self, id: &Id) {
        self.awaited.remove(id);
    }

    /// Asks for `own` of its kind for ever, and no longer for others of it; returns those, sorted.
    pub(crate) fn own_anew(&mut self, kind: Kind, own: BTreeSet<Id>) -> Vec<Id> {
        let before = self.own.iter().filter(|id| id.kind == kind);
        let gone: Vec<Id> = before.filter(|id| !own.contains(id)).cloned().collect();
        self.own.retain(|id| id.kind != kind || own.contains(id));
        for id in own {
            if self.own.insert(id.clone()) {
                self.changes.subscribe.push(id);
            }
        }
        self.changes.unsubscribe.extend(gone.iter().cloned());
        gone
    }

    /// Asks for `name` if it is unknown, and says how it stands; a demand counts as a call.
    pub(crate) fn demand(&mut self, name: &Id, now: Instant) -> Demand {
        match self.names.get_mut(name) {
            Some(State::Bound { used }) => {
                *used = now;
                Demand::Bound
            }
            Some(State::Missing { .. }) => Demand::Missing,
            Some(State::Queued | State::Asked { .. }) => Demand::Asked,
            None => self.ask(name, now),
        }
    }

    fn ask(&mut self, name: &Id, now: Instant) -> Demand {
        if self.queue.len() >= REMEMBERED
            || self.count(|state| matches!(state, State::Bound { .. })) >= BOUND
        {
            return Demand::Refused;
        }
        self.names.insert(name.clone(), State::Queued);
        self.queue.push_back(name.clone());
        self.ask_queued(now);
        Demand::Asked
    }

    fn ask_queued(&mut self, now: Instant) {
        let asked = self.count(|state| matches!(state, State::Asked { .. }));
        for _ in asked..ASKED_AT_ONCE {
            let Some(name) = self.queue.pop_front() else {
                return;
            };
            self.changes.subscribe.extend(with_companion(&name));
            self.names.insert(name, State::Asked { since: now });
        }
    }

    /// The control plane gave `name`.
    pub(crate) fn bind(&mut self, name: &Id, now: Instant) {
        self.settle(name, State::Bound { used: now }, now);
    }

    /// The control plane said that `name` does not exist, or no longer.
    pub(crate) fn miss(&mut self, name: &Id, now: Instant) {
        if self.count(|state| matches!(state, State::Missing { .. })) >= REMEMBERED {
            self.forget_oldest_missing();
        }
        self.settle(name, State::Missing { since: now }, now);
    }

    fn settle(&mut self, name: &Id, state: State, now: Instant) {
        self.answered(name);
        if self.wants(name) {
            self.names.insert(name.clone(), state);
        }
        self.ask_queued(now);
    }

    fn forget_oldest_missing(&mut self) {
        let missing = |(name, state): (&Id, &State)| match state {
            State::Missing { since } => Some((*since, name.clone())),
            _ => None,
        };
        if let Some((_, name)) = self.names.iter().filter_map(missing).min() {
            self.forget(&name);
        }
    }

    /// Subscribes to `name` without asking: it was bound when the sidecar last ran.
    pub(crate) fn restore(&mut self, name: &Id, now: Instant) {
        self.names.insert(name.clone(), State::Bound { used: now });
    }

    /// A call went to `name`.
    pub(crate) fn called(&mut self, name: &Id, now: Instant) {
        if let Some(State::Bound { used }) = self.names.get_mut(name) {
            *used = now;
        }
    }

    /// Forgets what has been missing, unanswered or idle for too long; returns the idle names, sorted.
    ///
    /// Called only while a control plane is connected: what nobody could give again is kept.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Id> {
        let over = |since: &Instant, limit| now.saturating_duration_since(*since) >= limit;
        let (mut idle, mut gone) = (Vec::new(), Vec::new());
        let is_kept = |name: &Id| self.own.contains(name) || self.followed.contains(name);
        for (name, state) in &self.names {
            match state {
                State::Bound { used } if over(used, IDLE) && !is_kept(name) => {
                    idle.push(name.clone())
                }
                State::Asked { since } | State::Missing { since } if over(since, MISSING) => {
                    gone.push(name.clone())
                }
                _ => {}
            }
        }
        for name in idle.iter().chain(&gone) {
            self.forget(name);
        }
        self.ask_queued(now);
        idle
    }

    fn forget(&mut self, name: &Id) {
        self.names.remove(name);
        if !self.own.contains(name) {
            let unused = with_companion(name).filter(|id| !self.followed.contains(id));
            self.changes.unsubscribe.extend(unused);
        }
    }

    /// A stream begins: returns everything to subscribe to, sorted.
    pub(crate) fn begin(&mut self) -> Vec<Id> {
        self.changes = Changes::default();
        let asked = self
            .names
            .iter()
            .filter(|(_, state)| !matches!(state, State::Queued));
        let names = self.own.iter().chain(asked.map(|(name, _)| name));
        let mut all: BTreeSet<Id> = names.flat_map(with_companion).collect();
        all.extend(self.followed.iter().cloned());
        all.into_iter().collect()
    }

    /// Nobody will answer for now: names that are not bound are forgotten, to be demanded anew.
    pub(crate) fn give_up(&mut self) {
        self.names
            .retain(|_, state| matches!(state, State::Bound { .. }));
        self.queue.clear();
        self.awaited.clear();
    }

    /// Takes what has changed since the last call.
    pub(crate) fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Whether `name` is asked for by itself, not because of another.
    pub(crate) fn wants(&self, name: &Id) -> bool {
        self.own.contains(name) || self.followed.contains(name) || self.names.contains_key(name)
    }

    fn count(&self, wanted: impl Fn(&State) -> bool) -> usize {
        self.names.values().filter(|state| wanted(state)).count()
    }
}

/// `name`, and the endpoints that a service is of no use without.
fn with_companion(name: &Id) -> impl Iterator<Item = Id> {
    let endpoints =
        (name.kind == Kind::Outbound).then(|| Id::new(Kind::Endpoints, name.name.clone()));
    std::iter::once(name.clone()).chain(endpoints)
}

#[cfg(test)]
mod tests;
