//! A worker: one thread, one event loop, and all the state that requests meet.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

use crate::clock::Clock;
use crate::config::{Config, ServiceName};
use crate::connections::Connections;
use crate::handle::{Addresses, Order, Outlets};
use crate::listen;
use crate::settings::{Settings, StartError};

/// All the state that requests meet; belongs to one thread.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) clock: Clock,
    pub(crate) config: RefCell<Arc<Config>>,
    pub(crate) connections: Rc<Connections>,
    /// Connections refused because there were too many.
    pub(crate) refused_connections: Cell<u64>,
    /// Accepts that failed for want of descriptors or memory.
    pub(crate) accept_failures: Cell<u64>,
}

/// Where a connection came in, which decides what becomes of its requests.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// From others, to a port of the workload.
    Inbound {
        app: SocketAddr,
        service: ServiceName,
    },
    /// From the workload, to the service that each request names.
    Outbound,
    /// From the workload, to one port of one service.
    Upstream { service: ServiceName, port: u16 },
}

/// A listener and what it is for.
type Door = (TcpListener, Entry);

/// Starts a worker that takes `orders`; tells where it listens.
pub(crate) fn spawn(
    settings: Settings,
    outlets: Outlets,
    orders: mpsc::Receiver<Order>,
) -> Result<Addresses, StartError> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let (doors, addresses) = {
        let _context = runtime.enter();
        open_doors(&settings)?
    };
    thread::Builder::new()
        .name("breakwater-proxy".into())
        .spawn(move || run(&runtime, settings, outlets, doors, orders))?;
    Ok(addresses)
}

fn open_doors(settings: &Settings) -> Result<(Vec<Door>, Addresses), StartError> {
    let mut doors = Vec::new();
    let mut addresses = Addresses::default();
    for port in &settings.inbound {
        let entry = Entry::Inbound {
            app: port.app,
            service: port.service.clone(),
        };
        addresses
            .inbound
            .push(open_door(&mut doors, port.listen, entry)?);
    }
    if let Some(address) = settings.outbound {
        addresses.outbound = Some(open_door(&mut doors, address, Entry::Outbound)?);
    }
    for upstream in &settings.upstreams {
        let entry = Entry::Upstream {
            service: upstream.service.clone(),
            port: upstream.port,
        };
        addresses
            .upstreams
            .push(open_door(&mut doors, upstream.listen, entry)?);
    }
    let own: Vec<SocketAddr> = addresses.all().collect();
    match settings.inbound.iter().find(|port| own.contains(&port.app)) {
        Some(port) => Err(StartError::AppIsListener { address: port.app }),
        None => Ok((doors, addresses)),
    }
}

fn open_door(
    doors: &mut Vec<Door>,
    address: SocketAddr,
    entry: Entry,
) -> Result<SocketAddr, StartError> {
    let listener = listen::bind(address)?;
    let bound = listener.local_addr()?;
    doors.push((listener, entry));
    Ok(bound)
}

fn run(
    runtime: &Runtime,
    settings: Settings,
    _outlets: Outlets,
    doors: Vec<Door>,
    orders: mpsc::Receiver<Order>,
) {
    LocalSet::new().block_on(runtime, async move {
        let worker = Rc::new(Worker {
            clock: Clock::start(),
            config: RefCell::default(),
            connections: Connections::new(settings.bounds.max_connections),
            refused_connections: Cell::new(0),
            accept_failures: Cell::new(0),
        });
        for (listener, entry) in doors {
            spawn_local(listen::accept(Rc::clone(&worker), listener, Rc::new(entry)));
        }
        take_orders(&worker, orders).await;
    });
}

/// Carries out orders, each between two requests, until nobody is left to give any.
async fn take_orders(worker: &Rc<Worker>, mut orders: mpsc::Receiver<Order>) {
    while let Some(order) = orders.recv().await {
        worker.obey(order);
    }
}

impl Worker {
    fn obey(self: &Rc<Self>, order: Order) {
        // Who gave the order may have gone; then nobody waits for the answer.
        let _ = match order {
            Order::Apply(config, reply) => {
                self.config.replace(config);
                reply.send(()).is_ok()
            }
            Order::Stats(reply) => reply.send(self.stats()).is_ok(),
            Order::Breakers(reply) => reply.send(Vec::new()).is_ok(),
            Order::Limits(reply) => reply.send(Vec::new()).is_ok(),
            Order::Endpoints(reply) => reply.send(Vec::new()).is_ok(),
            Order::Decisions(_, reply) => reply.send(Vec::new()).is_ok(),
            Order::Explain(_, reply) => reply.send(Default::default()).is_ok(),
            Order::Force(_, reply) => reply.send(None).is_ok(),
            Order::LiveCallers(_, reply) => reply.send(()).is_ok(),
            Order::Drain(deadline, reply) => {
                spawn_local(Rc::clone(self).drain(deadline, reply));
                true
            }
        };
    }

    fn stats(&self) -> crate::report::Stats {
        crate::report::Stats::default()
    }

    async fn drain(self: Rc<Self>, deadline: Duration, done: tokio::sync::oneshot::Sender<()>) {
        self.connections.drain();
        if tokio::time::timeout(deadline, self.connections.all_gone())
            .await
            .is_err()
        {
            self.connections.cut();
        }
        let _ = done.send(());
    }
}
