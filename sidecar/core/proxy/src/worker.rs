//! A worker: one thread, one event loop, and all the state that requests meet.

mod entry;
mod sweep;
mod thread;

pub(crate) use entry::Entry;
pub(crate) use thread::spawn;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;

use http1::Cause;
use policy::Reason;
use policy::moment::{Moment, WallClock};
use policy::trace_context::Sampling;
use tokio::sync::mpsc;

use crate::accounts::Accounts;
use crate::across::Across;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, Protocol, ServiceName};
use crate::connections::Connections;
use crate::demand::Demands;
use crate::descriptors::Descriptors;
use crate::gauges::Gauges;
use crate::h1::Kits;
use crate::handle::Demand;
use crate::journal::Journal;
use crate::live::{Cluster, Live};
use crate::report::{Decision, Direction};
use crate::settings::{Bounds, InboundListener, ProbedPath};
use crate::shortage::Shortage;
use crate::spared::Spared;
use crate::stages::Refusal;
use crate::stages::endpoint::Checks;
use crate::stages::mirror::Room;
use crate::stages::record::Record;
use crate::stages::rescue::{self, Answer, Taste};
use crate::wire::Memory;

/// All the state that requests meet; belongs to one thread.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) clock: Clock,
    /// The calendar's time, which aligned windows follow.
    calendar: Cell<WallClock>,
    pub(crate) chance: Chance,
    pub(crate) instance: Arc<str>,
    pub(crate) namespace: Arc<str>,
    /// The workload's own service, in metrics of its calls.
    pub(crate) peer: Arc<str>,
    pub(crate) inbound: Vec<InboundListener>,
    /// Ports on which captured connections are looked at only if somebody declares what is spoken there.
    pub(crate) opaque_ports: Vec<u16>,
    /// What the application speaks at some of its ports, whatever its services say.
    app_protocols: Vec<(u16, Protocol)>,
    pub(crate) spared: Spared,
    /// Addresses that no endpoint may have.
    own: Vec<SocketAddr>,
    pub(crate) live: RefCell<Rc<Live>>,
    /// Which traces are recorded of those that begin here; `None`: none at all.
    pub(crate) sampling: Cell<Option<Sampling>>,
    /// Addresses of the application at which somebody was led here, by port.
    pub(crate) applications: RefCell<BTreeMap<u16, Vec<SocketAddr>>>,
    pub(crate) live_callers: RefCell<HashMap<ServiceName, u32>>,
    pub(crate) checks: Checks,
    pub(crate) connections: Rc<Connections>,
    pub(crate) descriptors: Descriptors,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) shortage: Shortage,
    pub(crate) demands: Rc<Demands>,
    pub(crate) across: Rc<Across>,
    pub(crate) journal: Journal,
    pub(crate) memory: Memory,
    pub(crate) kits: Kits,
    pub(crate) mirrored: Rc<Room>,
    pub(crate) accounts: Accounts,
    pub(crate) max_services: usize,
    /// Numbers of callers of services of which nothing else is known any more.
    pub(crate) forgotten_callers: Cell<u64>,
    /// Connections refused because there were too many.
    pub(crate) refused_connections: Cell<u64>,
}

/// What a worker begins with.
struct Start {
    instance: Arc<str>,
    namespace: Arc<str>,
    peer: Arc<str>,
    inbound: Vec<InboundListener>,
    opaque_ports: Vec<u16>,
    app_protocols: Vec<(u16, Protocol)>,
    probed: Vec<ProbedPath>,
    bounds: Bounds,
    gauges: Arc<Gauges>,
    demands: mpsc::Sender<Demand>,
    own: Vec<SocketAddr>,
    journal: Journal,
}

/// Whether `address` is one of `own`; a listener on every address is reached at any loopback one.
fn is_among(own: &[SocketAddr], address: SocketAddr) -> bool {
    let (ip, port) = (address.ip().to_canonical(), address.port());
    own.iter().any(|own| {
        let is_everywhere = own.ip().is_unspecified() && (ip.is_loopback() || ip.is_unspecified());
        own.port() == port && (own.ip() == ip || is_everywhere)
    })
}

fn is_of_this_host(address: SocketAddr) -> bool {
    UdpSocket::bind((address.ip(), 0)).is_ok()
}

impl Worker {
    fn new(start: Start) -> Self {
        let clock = Clock::start();
        Self {
            clock,
            calendar: Cell::new(WallClock::new(clock.read())),
            chance: Chance::from_system(),
            checks: Checks::of(&start.instance),
            instance: start.instance,
            namespace: start.namespace,
            peer: start.peer,
            inbound: start.inbound,
            opaque_ports: start.opaque_ports,
            app_protocols: start.app_protocols,
            spared: Spared::new(start.probed),
            own: start.own,
            live: RefCell::default(),
            sampling: Cell::new(None),
            applications: RefCell::default(),
            live_callers: RefCell::default(),
            connections: Connections::new(start.bounds.max_connections),
            descriptors: Descriptors::new(start.bounds.max_descriptors),
            gauges: start.gauges,
            shortage: Shortage::new(start.bounds.standstill),
            demands: Demands::new(start.demands, &start.bounds, clock),
            across: Across::new(start.bounds.max_traces),
            journal: start.journal,
            memory: Memory::new(),
            kits: Kits::default(),
            mirrored: Rc::default(),
            accounts: Accounts::default(),
            max_services: start.bounds.max_services,
            forgotten_callers: Cell::new(0),
            refused_connections: Cell::new(0),
        }
    }

    /// Puts a configuration in force: every request that begins from now on is served by it.
    pub(crate) fn apply(&self, config: Arc<Config>) {
        let current = Rc::clone(&self.live.borrow());
        self.sampling.set(config.tracing);
        let next = current.successor(self, config);
        self.gauges
            .want(next.all().any(|cluster| cluster.limits.follows_gauges()));
        self.live.replace(Rc::new(next));
    }

    /// What the application speaks at a port, if whoever started it says so.
    pub(crate) fn app_protocol(&self, entry: &Entry) -> Option<Protocol> {
        let Entry::Application { address, .. } = entry else {
            return None;
        };
        let mut told = self.app_protocols.iter();
        told.find(|(port, _)| *port == address.port())
            .map(|(_, protocol)| *protocol)
    }

    /// Knows the application at `address` from now on; false if that is no address of this host.
    pub(crate) fn meet_application(&self, address: SocketAddr) -> bool {
        let known = |addresses: &Vec<SocketAddr>| addresses.contains(&address);
        if self
            .applications
            .borrow()
            .get(&address.port())
            .is_some_and(known)
        {
            return true;
        }
        if !is_of_this_host(address) {
            return false;
        }
        let mut applications = self.applications.borrow_mut();
        applications
            .entry(address.port())
            .or_default()
            .push(address);
        drop(applications);
        let config = Arc::clone(&self.live.borrow().config);
        self.apply(config);
        true
    }

    /// The instant at `at_ns`, on the calendar too.
    pub(crate) const fn moment(&self, at_ns: u64) -> Moment {
        self.calendar.get().at(at_ns)
    }

    /// Follows the wall clock, should somebody have set it.
    fn read_calendar(&self) {
        let mut calendar = self.calendar.get();
        if calendar.observe(self.clock.read()) {
            self.calendar.set(calendar);
        }
    }

    /// Whether an address is one of this sidecar's own.
    pub(crate) fn is_own(&self, address: SocketAddr) -> bool {
        is_among(&self.own, address)
    }

    /// Whether an address of this host leads to one of the sidecar's ports that listen on all of them.
    pub(crate) fn leads_here(&self, address: SocketAddr) -> bool {
        let is_at_port =
            |own: &SocketAddr| own.ip().is_unspecified() && own.port() == address.port();
        self.own.iter().any(is_at_port) && is_of_this_host(address)
    }

    /// Remembers a connection that limits refused when it was accepted.
    pub(crate) fn remember_connection(&self, cluster: &Cluster, refusal: &Refusal) {
        let service = Some(&cluster.config.service);
        self.remember(cluster.direction, service, refusal);
    }

    /// Remembers a connection that was led here and refused.
    pub(crate) fn remember_refused(&self, direction: Direction, reason: Reason) {
        self.remember(direction, None, &Refusal::new(reason));
    }

    fn remember(&self, direction: Direction, service: Option<&ServiceName>, refusal: &Refusal) {
        self.journal.remember(Decision {
            at: self.clock.wall(self.clock.now_ns()),
            direction,
            service: service.cloned(),
            reason: refusal.reason,
            policy: refusal.policy.clone(),
            limit: refusal.limit.as_deref().map(Box::from),
            status: 0,
        });
    }

    /// Records what is no request, and answers it.
    pub(crate) fn refuse_malformed(
        &self,
        direction: Direction,
        (cause, status): (Cause, u16),
        taste: Taste,
    ) -> Answer {
        self.journal.count_malformed(cause);
        let refusal = Refusal {
            status: Some(status),
            ..Refusal::new(Reason::ProtocolInvalid)
        };
        let record = Record::of_malformed(self, direction, &refusal, taste == Taste::Grpc);
        record.close(self, record.started_ns);
        rescue::answer(&refusal, taste, record.trace.id, &self.chance)
    }
}

#[cfg(test)]
pub(crate) mod tests;
