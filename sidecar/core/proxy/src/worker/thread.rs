//! The thread of a worker, from its first listener to its last order.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, mpsc as threads};
use std::thread;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};

use super::{Start, Worker, is_among};
use crate::doors::{self, Door};
use crate::handle::{Addresses, Order, Outlets};
use crate::journal::Journal;
use crate::listen;
use crate::settings::{Settings, StartError};
use crate::stages::endpoint;

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
pub(super) async fn first_panic(mut tasks: JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if ended.is_err() {
            return;
        }
    }
    std::future::pending().await
}
