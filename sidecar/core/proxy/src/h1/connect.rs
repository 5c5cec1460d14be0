//! A connection for an attempt: one that rests, else a new one, within the cluster's cap.

use std::io;
use std::rc::Rc;

use policy::Reason;
use policy::ending::Ending;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::peer::Peer;
use super::pool::Retirement;
use crate::exchange::{Destination, Exchange};
use crate::gate::Entry;
use crate::listen;
use crate::live::Cluster;
use crate::worker::Worker;

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoConnection {
    /// The cluster has as many as it may.
    NoPlace,
    /// Connecting failed.
    Failed(Ending, Reason),
}

/// A connection to `to`; `fresh` if one that rested will not do.
pub(super) async fn connect(
    worker: &Worker,
    exchange: &mut Exchange,
    to: &Destination,
    fresh: bool,
) -> Result<Peer, NoConnection> {
    take_place(exchange, &to.cluster).await?;
    let now_ns = exchange.now_ns();
    let retirement = Retirement::of(&to.cluster);
    let resting = if fresh {
        None
    } else {
        to.pool.take(&retirement, now_ns)
    };
    if let Some(socket) = resting {
        return Ok(Peer::reused(socket, &to.pool, retirement));
    }
    make_room(worker, &to.cluster);
    let stream = dial(to).await?;
    listen::tune(&stream);
    Ok(Peer::new(stream, &to.pool, retirement, now_ns))
}

/// Takes one of the cluster's places, waiting in line for it as long as connecting may take.
async fn take_place(exchange: &mut Exchange, cluster: &Cluster) -> Result<(), NoConnection> {
    let Some(gate) = &cluster.connections else {
        return Ok(());
    };
    if exchange.connection.is_some() {
        return Ok(());
    }
    let permit = match gate.enter() {
        Entry::Open(permit) => permit,
        Entry::Full => return Err(NoConnection::NoPlace),
        Entry::Wait(wait) => {
            let waited = timeout(cluster.timeouts.connect, wait).await;
            waited.map_err(|_| NoConnection::NoPlace)?
        }
    };
    exchange.connection = Some(permit);
    Ok(())
}

/// Closes connections that rest, the longest first, until one more stays within the cap.
fn make_room(worker: &Worker, cluster: &Rc<Cluster>) {
    let Some(gate) = &cluster.connections else {
        return;
    };
    let (most, used) = gate.look(|gate| (gate.params().max_concurrent, gate.in_flight()));
    while let Some((resting, oldest)) = resting(worker, cluster)
        && used as usize + resting > most as usize
    {
        oldest.evict_oldest();
    }
}

/// How many connections of the cluster rest, and where the longest resting one does.
fn resting(worker: &Worker, cluster: &Cluster) -> Option<(usize, Rc<super::Pool>)> {
    let (mut count, mut oldest) = (0, None);
    for endpoints in &cluster.ports {
        endpoints.visit(worker, cluster, |endpoint, _| {
            count += endpoint.pool.idle();
            let since = endpoint
                .pool
                .oldest_ns()
                .map(|since_ns| (since_ns, Rc::clone(&endpoint.pool)));
            let is_older = |(since_ns, _): &(u64, _)| {
                oldest
                    .as_ref()
                    .is_none_or(|(oldest_ns, _)| since_ns < oldest_ns)
            };
            if let Some(older) = since.filter(is_older) {
                oldest = Some(older);
            }
        });
    }
    oldest.map(|(_, pool)| (count, pool))
}

async fn dial(to: &Destination) -> Result<TcpStream, NoConnection> {
    let dialled = timeout(to.cluster.timeouts.connect, TcpStream::connect(to.address)).await;
    match dialled {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if is_exhausted(&error) => Err(NoConnection::Failed(
            Ending::LocalRefusal,
            Reason::ProxyLimit,
        )),
        Ok(Err(_)) => Err(NoConnection::Failed(
            Ending::ConnectFailure,
            Reason::UpstreamConnect,
        )),
        Err(_) => Err(NoConnection::Failed(
            Ending::ConnectTimeout,
            Reason::TimeoutConnect,
        )),
    }
}

/// Whether it is this process or host that has no more to give.
fn is_exhausted(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [
        libc::EMFILE,
        libc::ENFILE,
        libc::EADDRNOTAVAIL,
        libc::ENOBUFS,
        libc::ENOMEM,
    ]
    .iter()
    .any(|exhausted| code == Some(*exhausted))
}
