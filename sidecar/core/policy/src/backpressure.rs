//! Backpressure: what stands in front of an application that may have more work than it can do.
//!
//! **Theory of operation.** At most so many requests run; the limit is fixed, or follows latency ([`gradient`]).
//! Who finds no free permit waits in one bounded queue, by class and flow. A freed permit goes to the most
//! important class that waits, within it to the flow whose turn it is. Who waits gets a [`Ticket`]; what becomes of
//! it, and of others that have to make room, is told in [`Event`]s, to be taken after each call.
//!
//! An arrival that has to wait goes down this table to the first row that applies:
//!
//! | the queue | the arrival |
//! |---|---|
//! | would be full within the time set for the arrival's class | is refused, `shed.class` |
//! | has room | waits; with `Throttle`, only if it has credit |
//! | has somebody whose deadline cannot be met | waits, and that one is refused, `deadline.exhausted` |
//! | buffers, and may grow | waits |
//! | has somebody of a class that matters less | waits, and the newest of the least important is refused, `shed.class` |
//! | has a flow of its class with more waiting | waits, and the newest of the longest is refused, `shed.fairness` |
//! | drops the oldest | waits, and the oldest of its class is refused, `queue.evicted` |
//! | blocks | is held, then refused, `queue.blocked` |
//! | throttles | is refused, `queue.throttled` |
//! | otherwise | is refused, `queue.full` |
//!
//! Before somebody is called, those go whose deadline cannot be met: it is nearer than half of the last minute's
//! requests took. Then CoDel ([`codel`]), one for each class, may drop who would be next.

mod arrival;
pub mod codel;
pub mod gradient;
mod growth;
mod params;
mod queue;
mod throttle;

use std::collections::VecDeque;

pub use arrival::{Arrival, Entry, Event};
use codel::Codel;
use gradient::Gradient;
use growth::Growth;
pub use growth::Slope;
pub use params::{Concurrency, Discipline, EarlyDetection, Mode, Params, Queue as QueueParams};
use queue::Queue;
use throttle::Throttle;

use crate::criticality::{CLASSES, Criticality};
use crate::latency::RecentLatency;
pub use crate::lists::Ticket;
pub use crate::waiters::Flow;
use crate::{Percent, Reason};

/// What stands in front of one application.
#[derive(Clone, Debug)]
pub struct Backpressure {
    params: Params,
    in_flight: u32,
    gradient: Option<Gradient>,
    queue: Queue,
    codels: [Codel; CLASSES],
    throttle: Throttle,
    growth: Growth,
    recent: RecentLatency,
    events: VecDeque<Event>,
}

impl Backpressure {
    /// The figures in force.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// Nothing runs, and nothing waits.
    #[must_use]
    pub fn new(params: Params) -> Self {
        Self {
            in_flight: 0,
            gradient: gradient(&params),
            queue: Queue::new(params.queue),
            codels: [Codel::default(); CLASSES],
            throttle: Throttle::default(),
            growth: Growth::default(),
            recent: RecentLatency::default(),
            events: VecDeque::new(),
            params,
        }
    }

    /// Lets an arrival run, has it wait, or turns it away.
    #[inline]
    pub fn arrive(&mut self, arrival: &Arrival, now_ns: u64) -> Entry {
        if self.in_flight < self.limit() && self.queue.depth() == 0 {
            self.in_flight += 1;
            return Entry::Runs;
        }
        if self.params.queue.is_none() {
            return Entry::Refused(Reason::ShedConcurrency);
        }
        self.look(now_ns);
        let entry = self.queue_up(arrival, now_ns);
        self.look(now_ns);
        entry
    }

    fn queue_up(&mut self, arrival: &Arrival, now_ns: u64) -> Entry {
        if self.is_shed_early(arrival.class, now_ns) {
            return Entry::Refused(Reason::ShedClass);
        }
        if !self.has_room(arrival, now_ns) && !self.make_room(arrival, now_ns) {
            return self.turn_away(arrival, now_ns);
        }
        if self.queue.waiters.len_of(arrival.class) == 0 {
            self.codels[arrival.class.index()].rest();
        }
        Entry::Waits(self.queue.join(arrival, now_ns))
    }

    /// Whether the queue would be full so soon that the class is shed already.
    fn is_shed_early(&mut self, class: Criticality, now_ns: u64) -> bool {
        let below_ns = self.params.early_detection.map_or(0, |early| match class {
            Criticality::Background => early.shed_background_below_ns,
            Criticality::Sheddable => early.shed_sheddable_below_ns,
            Criticality::Default | Criticality::Critical => 0,
        });
        let places = self.queue.most().saturating_sub(self.queue.depth());
        let full_in_ns = self.growth.slope(now_ns).time_for(places);
        full_in_ns.is_some_and(|full_in_ns| full_in_ns < below_ns)
    }

    /// Whether the queue takes one more as it is.
    fn has_room(&mut self, arrival: &Arrival, now_ns: u64) -> bool {
        let (depth, capacity) = (self.queue.depth(), self.queue.capacity());
        match self.queue.params.mode {
            Mode::Throttle { from } => self.throttle.admits(from, depth, capacity, now_ns),
            _ => self.queue.fits(arrival.bytes, None),
        }
    }

    /// Makes room for one more, if there is a way.
    fn make_room(&mut self, arrival: &Arrival, now_ns: u64) -> bool {
        self.drop_hopeless(now_ns);
        self.queue.let_in();
        let is_throttled = matches!(self.queue.params.mode, Mode::Throttle { .. });
        if !is_throttled && self.queue.fits(arrival.bytes, None) {
            return true;
        }
        if self.queue.grow(arrival.bytes) && self.queue.fits(arrival.bytes, None) {
            return true;
        }
        let Some((ticket, reason)) = self.who_gives_way(arrival) else {
            return false;
        };
        let fits = self.queue.fits(arrival.bytes, Some(ticket));
        if fits {
            self.refuse(ticket, reason);
        }
        fits
    }

    /// Who makes room for an arrival, and why.
    fn who_gives_way(&self, arrival: &Arrival) -> Option<(Ticket, Reason)> {
        let waiters = &self.queue.waiters;
        let mut below = arrival.class.below();
        if let Some(ticket) = below.find_map(|class| waiters.newest(class)) {
            return Some((ticket, Reason::ShedClass));
        }
        if let Some(ticket) = waiters.newest_of_longest(arrival.class, arrival.flow) {
            return Some((ticket, Reason::ShedFairness));
        }
        let drops_oldest = self.queue.params.mode == Mode::DropOldest;
        let oldest = waiters.oldest(arrival.class).filter(|_| drops_oldest)?;
        Some((oldest, Reason::QueueEvicted))
    }

    fn turn_away(&mut self, arrival: &Arrival, now_ns: u64) -> Entry {
        match self.queue.params.mode {
            Mode::Block { .. } if arrival.holds_permit => Entry::Refused(Reason::QueueBlocked),
            Mode::Block { for_ns } if self.held() < self.queue.capacity() => Entry::Held {
                ticket: self.queue.hold(arrival, now_ns),
                for_ns,
            },
            Mode::Throttle { .. } => Entry::Refused(Reason::QueueThrottled),
            _ => Entry::Refused(Reason::QueueFull),
        }
    }

    /// Takes a permit back, and learns from a request that took so long; who is next is told in events.
    pub fn finish(&mut self, latency_ns: Option<u64>, now_ns: u64) {
        if let Some(latency_ns) = latency_ns {
            self.recent.record(latency_ns, now_ns);
            if let Some(gradient) = &mut self.gradient {
                gradient.sample(latency_ns, self.in_flight, now_ns);
            }
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        self.go_on(now_ns);
    }

    /// Ends a wait that nobody refused: its place is free at once, and a permit that it got meanwhile goes back.
    pub fn abandon(&mut self, ticket: Ticket, now_ns: u64) {
        self.look(now_ns);
        if self.queue.leave(ticket).is_none() {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        self.go_on(now_ns);
    }

    /// Refuses somebody who was held for too long, [`Reason::QueueBlocked`]; false when it waits or runs by now.
    pub fn expire(&mut self, ticket: Ticket) -> bool {
        self.queue.waiters.is_held(ticket) && self.queue.leave(ticket).is_some()
    }

    /// Calls those for whom there are permits.
    fn go_on(&mut self, now_ns: u64) {
        self.look(now_ns);
        while self.in_flight < self.limit() && self.queue.depth() > 0 {
            self.drop_hopeless(now_ns);
            if let Some(ticket) = self.call(now_ns) {
                self.in_flight += 1;
                self.throttle.drained(now_ns);
                self.events.push_back(Event::Runs(ticket));
            }
            self.queue.let_in();
        }
        self.queue.let_in();
        self.look(now_ns);
    }

    /// Calls who is next of the most important class, after those whom CoDel drops.
    fn call(&mut self, now_ns: u64) -> Option<Ticket> {
        let class = self.queue.waiters.first_class()?;
        let takes_newest = matches!(self.queue.params.discipline, Discipline::CodelLifo(_));
        let is_standing = |machine: &Self| machine.codels[class.index()].is_dropping();
        while let Some(ticket) = self.dropped(class, takes_newest && is_standing(self), now_ns) {
            self.refuse(ticket, Reason::QueueCodel);
        }
        self.queue.call(class, takes_newest && is_standing(self))
    }

    /// Whom CoDel drops of a class, if anybody: the oldest where the newest is served.
    fn dropped(
        &mut self,
        class: Criticality,
        is_newest_served: bool,
        now_ns: u64,
    ) -> Option<Ticket> {
        let waiters = &self.queue.waiters;
        let codel = self.queue.params.discipline.codel()?;
        let ticket = if is_newest_served {
            waiters.oldest(class)
        } else {
            waiters.next(class)
        }?;
        let waited_ns = now_ns.saturating_sub(waiters.get(ticket)?.since_ns);
        let is_last = waiters.len_of(class) == 1;
        self.codels[class.index()]
            .drops(codel, waited_ns, is_last, now_ns)
            .then_some(ticket)
    }

    /// Refuses those whose deadline is nearer than half of the requests take.
    fn drop_hopeless(&mut self, now_ns: u64) {
        if !self.queue.has_deadlines() {
            return;
        }
        let takes_ns = self.recent.p50_ns(now_ns).unwrap_or(0);
        while let Some(ticket) = self.queue.hopeless(now_ns.saturating_add(takes_ns)) {
            self.refuse(ticket, Reason::DeadlineExhausted);
        }
    }

    fn refuse(&mut self, ticket: Ticket, reason: Reason) {
        if self.queue.leave(ticket).is_some() {
            self.events.push_back(Event::Refused(ticket, reason));
        }
    }

    /// Notes how long the queue is, before and after it changes, and what time alone did to it.
    pub fn look(&mut self, now_ns: u64) {
        self.queue.look(now_ns);
        self.growth.note(self.queue.depth(), now_ns);
    }

    /// What became of somebody who waited; none when all are told.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes new settings. Permits and waiters stay; who may run now is told in events.
    pub fn reconfigure(&mut self, params: Params, now_ns: u64) {
        match (&mut self.gradient, params.concurrency) {
            (Some(gradient), Concurrency::Adaptive(params)) => gradient.reconfigure(params),
            _ => self.gradient = gradient(&params),
        }
        self.queue.reconfigure(params.queue);
        self.params = params;
        self.go_on(now_ns);
    }

    /// How many may run at once.
    #[must_use]
    pub fn limit(&self) -> u32 {
        match (&self.params.concurrency, &self.gradient) {
            (Concurrency::Fixed(limit), _) => *limit,
            (Concurrency::Adaptive(_), Some(gradient)) => gradient.limit(),
            _ => u32::MAX,
        }
    }

    /// How many run.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// How many wait.
    #[must_use]
    pub const fn depth(&self) -> u32 {
        self.queue.depth()
    }

    /// How many are held in front of the queue.
    #[must_use]
    pub const fn held(&self) -> u32 {
        self.queue.waiters.held()
    }

    /// How many may wait as of now.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.queue.capacity()
    }

    /// How fast the queue grows.
    pub fn slope(&mut self, now_ns: u64) -> Slope {
        self.growth.slope(now_ns)
    }

    /// For `breakwater-admit-rate`: the share of the last second's throttled arrivals that was admitted, if any were.
    pub fn admit_rate(&mut self, now_ns: u64) -> Option<Percent> {
        self.throttle.admitted(now_ns)
    }
}

fn gradient(params: &Params) -> Option<Gradient> {
    match params.concurrency {
        Concurrency::Adaptive(params) => Some(Gradient::new(params)),
        Concurrency::Unlimited | Concurrency::Fixed(_) => None,
    }
}

#[cfg(test)]
mod tests;
