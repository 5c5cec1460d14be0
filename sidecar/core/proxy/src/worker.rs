//! A worker: one thread, one event loop, and all the state that requests meet.

mod sweep;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::{Arc, mpsc as threads};
use std::thread;

use http1::Cause;
use policy::Reason;
use policy::moment::{Moment, WallClock};
use policy::trace_context::Sampling;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};

use crate::accounts::Accounts;
use crate::across::Across;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, Protocol, ServiceName};
use crate::connections::Connections;
use crate::demand::Demands;
use crate::descriptors::Descriptors;
use crate::doors::{self, Door};
use crate::gauges::Gauges;
use crate::h1::Kits;
use crate::handle::{Addresses, Order, Outlets};
use crate::journal::Journal;
use crate::listen;
use crate::live::{Cluster, Live};
use crate::report::{Decision, Direction};
use crate::settings::{InboundListener, ProbedPath, Settings, StartError};
use crate::shortage::Shortage;
use crate::spared::Spared;
use crate::stages::endpoint::Checks;
use crate::stages::mirror::Room;
use crate::stages::record::Record;
use crate::stages::rescue::{self, Answer, Taste};
use crate::stages::{Refusal, endpoint};
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

/// Where a connection came in, which decides what becomes of its requests.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// From others, to the port of the workload that this listener stands for.
    Inbound { place: usize },
    /// From the workload, to the service that each request names.
    Outbound,
    /// From the workload, to one port of one service, without one to 80 or the only one; to one endpoint `only`, if it
    /// chose that itself.
    Upstream {
        service: ServiceName,
        port: Option<u16>,
        only: Option<SocketAddr>,
    },
    /// From others, led here on their way to the application at this address.
    Application {
        address: SocketAddr,
        /// Why requests are refused over it, but for those on which nothing is enforced.
        refused: Option<Arc<Refusal>>,
    },
}

impl Entry {
    /// The only endpoint that will do: the caller chose it by its address.
    pub(crate) const fn only(&self) -> Option<SocketAddr> {
        match self {
            Self::Upstream { only, .. } => *only,
            Self::Application { address, .. } => Some(*address),
            _ => None,
        }
    }

    /// What is served over it, if anything is.
    pub(crate) fn admits(&self) -> Result<(), Refusal> {
        match self {
            Self::Application {
                refused: Some(refusal),
                ..
            } => Err((**refusal).clone()),
            _ => Ok(()),
        }
    }

    pub(crate) const fn direction(&self) -> Direction {
        match self {
            Self::Inbound { .. } | Self::Application { .. } => Direction::Inbound,
            Self::Outbound | Self::Upstream { .. } => Direction::Outbound,
        }
    }
}

/// Starts a worker that takes `orders`; tells where it listens.
pub(crate) fn spawn(
    settings: Settings,
    outlets: Outlets,
    orders: mpsc::Receiver<Order>,
) -> Result<Addresses, StartError> {
    let (doors, addresses) = doors::open(&settings)?;
    let own = own_addresses(&settings, &addresses)?;
    let journal = Journal::new(
        (outlets.events, outlets.spans),
        settings.log,
        settings.bounds.max_log_lines,
    )?;
    let start = Start {
        instance: settings.instance,
        namespace: settings.namespace,
        peer: settings.peer,
        inbound: settings.inbound,
        opaque_ports: settings.opaque_ports,
        app_protocols: settings.app_protocols,
        probed: settings.probed,
        bounds: settings.bounds,
        gauges: settings.gauges,
        demands: outlets.demands,
        own,
        journal,
    };
    let (started, has_started) = threads::channel();
    let work = move || match prepare(doors) {
        Ok((runtime, doors)) => {
            // Whoever waits to hear this is there, or has gone with the process.
            let _ = started.send(Ok(()));
            run(&runtime, start, doors, orders);
        }
        Err(error) => drop(started.send(Err(error))),
    };
    thread::Builder::new()
        .name("breakwater-proxy".into())
        .spawn(work)?;
    has_started
        .recv()
        .unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))?;
    Ok(addresses)
}

/// The event loop, on the thread it belongs to, and the listeners entered into it.
fn prepare(doors: Vec<Door>) -> io::Result<(Runtime, Vec<Door<TcpListener>>)> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let context = runtime.enter();
    let enter = |(listener, purpose)| Ok((TcpListener::from_std(listener)?, purpose));
    let doors = doors.into_iter().map(enter).collect::<io::Result<_>>()?;
    drop(context);
    Ok((runtime, doors))
}

/// What a worker's thread begins with.
struct Start {
    instance: Arc<str>,
    namespace: Arc<str>,
    peer: Arc<str>,
    inbound: Vec<InboundListener>,
    opaque_ports: Vec<u16>,
    app_protocols: Vec<(u16, Protocol)>,
    probed: Vec<ProbedPath>,
    bounds: crate::settings::Bounds,
    gauges: Arc<Gauges>,
    demands: mpsc::Sender<crate::handle::Demand>,
    own: Vec<SocketAddr>,
    journal: Journal,
}

/// Every address of this sidecar; none of them may be the application's.
fn own_addresses(
    settings: &Settings,
    addresses: &Addresses,
) -> Result<Vec<SocketAddr>, StartError> {
    let own: Vec<SocketAddr> = addresses
        .all()
        .chain(settings.own_addresses.iter().copied())
        .collect();
    match settings
        .inbound
        .iter()
        .find(|port| is_among(&own, port.app))
    {
        Some(port) => Err(StartError::AppIsListener { address: port.app }),
        None => Ok(own),
    }
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

/// Lives until nobody is left to give orders; less long only if a task that it lives by panics.
fn run(
    runtime: &Runtime,
    start: Start,
    doors: Vec<Door<TcpListener>>,
    orders: mpsc::Receiver<Order>,
) {
    LocalSet::new().block_on(runtime, async move {
        let worker = Rc::new(Worker::new(start));
        worker.apply(Arc::default());
        let mut chores = JoinSet::new();
        for (listener, purpose) in doors {
            let accepting = listen::accept(Rc::clone(&worker), listener, purpose.settle());
            chores.spawn_local(accepting);
        }
        chores.spawn_local(Rc::clone(&worker).sweep());
        chores.spawn_local(endpoint::watch(Rc::clone(&worker)));
        tokio::select! {
            () = crate::orders::take(&worker, orders) => {}
            () = first_panic(chores) => {}
        }
    });
}

/// Resolves when one of the tasks has panicked: a worker that went on without it would accept nothing any more, or
/// probe nobody, and look well.
async fn first_panic(mut tasks: JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if ended.is_err() {
            return;
        }
    }
    std::future::pending().await
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
        cause: Cause,
        status: u16,
    ) -> Answer {
        self.journal.count_malformed(cause);
        let refusal = Refusal {
            status: Some(status),
            ..Refusal::new(Reason::ProtocolInvalid)
        };
        let record = Record::of_malformed(self, direction, &refusal);
        record.close(self, record.started_ns);
        rescue::answer(&refusal, Taste::Problem, record.trace.id, &self.chance)
    }
}

#[cfg(test)]
pub(crate) mod tests;
