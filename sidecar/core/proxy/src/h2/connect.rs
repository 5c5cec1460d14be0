//! A stream's place on a connection: one with room, else one that rests, else a new one, within the cluster's cap.

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use ::h2::client::{Connection, SendRequest};
use policy::Reason;
use policy::ending::Ending;
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::caller;
use super::link::Link;
use super::parcel::Parcel;
use super::pool::Slot;
use super::pulse::Pulse;
use super::window::Window;
use crate::exchange::Destination;
use crate::gate::{Entry, Permit};
use crate::upstream::{InUse, NoConnection, Pools, Retirement, dial, make_room};
use crate::worker::Worker;

/// A place on a connection to `to`, and what requests are sent with there.
pub(super) async fn connect(
    worker: &Rc<Worker>,
    to: &Destination,
    place: Option<InUse>,
) -> Result<(SendRequest<Parcel>, Slot), NoConnection> {
    let slot = take_slot(worker, to, place).await?;
    Ok((slot.link.connected().await?, slot))
}

/// A place on a connection to `to`, which may not be there yet; `place` is one among the cluster's connections that can be
/// used for that. Waits in line alone, without one.
pub(super) async fn take_slot(
    worker: &Rc<Worker>,
    to: &Destination,
    place: Option<InUse>,
) -> Result<Slot, NoConnection> {
    if let Some(slot) = find_busy(worker, to) {
        return Ok(slot);
    }
    if place.is_some() {
        return Ok(open(worker, to, place));
    }
    match enter(worker, to).await? {
        Entered::Joined(slot) => Ok(slot),
        Entered::Place(place) => Ok(open(worker, to, InUse::of(place, to))),
    }
}

/// What came of waiting for a connection.
enum Entered {
    /// There was room on one in use.
    Joined(Slot),
    /// There may be one more in use.
    Place(Option<Permit>),
}

fn find_busy(worker: &Worker, to: &Destination) -> Option<Slot> {
    let retirement = Retirement::of(&to.cluster);
    let link = to.pools.h2.find_busy(&retirement, worker.clock.now_ns())?;
    Some(Slot::take(link, &to.pools, worker.clock, None))
}

/// Takes one of the cluster's places, waiting for it, or for room on a connection, as long as connecting may take.
async fn enter(worker: &Worker, to: &Destination) -> Result<Entered, NoConnection> {
    let Some(gate) = &to.cluster.connections else {
        return Ok(Entered::Place(None));
    };
    let wait = match gate.enter_as(to.claim()) {
        Entry::Open(place) => return Ok(Entered::Place(Some(place))),
        Entry::Full => return Err(NoConnection::NoPlace),
        Entry::Wait(wait) => wait,
    };
    let either = async {
        tokio::select! {
            biased;
            slot = room(worker, to) => Entered::Joined(slot),
            place = wait => Entered::Place(Some(place)),
        }
    };
    let waited = timeout(to.cluster.timeouts.connect, either).await;
    waited.map_err(|_| NoConnection::NoPlace)
}

/// Room on a connection in use, once there is some.
async fn room(worker: &Worker, to: &Destination) -> Slot {
    loop {
        to.pools.h2.freed().await;
        if let Some(slot) = find_busy(worker, to) {
            // There may be room for another one that waits.
            to.pools.h2.tell_freed();
            return slot;
        }
    }
}

/// Puts a connection in use that was not.
fn open(worker: &Rc<Worker>, to: &Destination, place: Option<InUse>) -> Slot {
    let (retirement, now_ns) = (Retirement::of(&to.cluster), worker.clock.now_ns());
    let resting = to.pools.h2.find_resting(&retirement, now_ns);
    let link = resting.unwrap_or_else(|| {
        make_room(worker, &to.cluster);
        begin(worker, to, now_ns)
    });
    to.pools.h2.tell_freed();
    Slot::take(link, &to.pools, worker.clock, place)
}

/// Begins a connection; a task of its own carries it to its end, whoever asked for it.
fn begin(worker: &Rc<Worker>, to: &Destination, now_ns: u64) -> Rc<Link> {
    let link = Link::new(now_ns);
    to.pools.h2.add(&link);
    let within = to.cluster.timeouts.connect;
    let (worker, pools) = (Rc::clone(worker), Rc::clone(&to.pools));
    spawn_local(carry(worker, Rc::clone(&link), pools, to.address, within));
    link
}

async fn carry(
    worker: Rc<Worker>,
    link: Rc<Link>,
    pools: Rc<Pools>,
    address: SocketAddr,
    within: Duration,
) {
    let connected = match dial(&worker, address, within).await {
        Ok(stream) => caller().handshake(stream).await.map_err(|_| BROKEN),
        Err(why) => Err(why),
    };
    match connected {
        Ok((send, connection)) => {
            link.settle(Ok(send));
            pools.h2.tell_freed();
            drive(&link, connection, within).await;
        }
        Err(why) => link.settle(Err(why)),
    }
    pools.h2.forget(&link);
}

/// Carries a connection to its end, which is also there when the upstream gives no sign of life `within` so long.
async fn drive(link: &Link, mut connection: Connection<TcpStream, Parcel>, within: Duration) {
    let mut window = Window::default();
    let mut pulse = Pulse::new(connection.ping_pong(), within);
    std::future::poll_fn(|cx| {
        if pulse.poll(cx, link.take_doubt()).is_ready() {
            return Poll::Ready(());
        }
        if let Some(size) = window.grow(link.streams()) {
            connection.set_target_window_size(size);
        }
        // How it ended, its streams were told.
        Pin::new(&mut connection).poll(cx).map(drop)
    })
    .await;
}

/// The connection broke before it was one.
const BROKEN: NoConnection = NoConnection::Failed(Ending::ConnectFailure, Reason::UpstreamConnect);
