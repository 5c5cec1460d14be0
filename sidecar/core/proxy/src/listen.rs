//! Listening: an accept loop that outlives every error.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use socket2::TcpKeepalive;
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use crate::connections::Place;
use crate::doors::Purpose;
use crate::stages::Refusal;
use crate::stages::rate_limit::Charges;
use crate::worker::{Entry, Worker};
use crate::{capture, downstream, speech};

/// Pause after an accept that failed for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(50);
/// Silence after which the kernel asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// What every connection gets, either side: no delay, and an end when the peer is gone without a word.
pub(crate) fn tune(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    // A socket that refuses either works all the same.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
}

/// Accepts until nothing more is to be accepted in the direction that `purpose` has.
pub(crate) async fn accept(
    worker: Rc<Worker>,
    listener: tokio::net::TcpListener,
    purpose: Purpose,
) {
    let closed = worker.connections.closed(purpose.direction());
    tokio::pin!(closed);
    loop {
        tokio::select! {
            biased;
            () = &mut closed => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => open(&worker, stream, peer, &purpose),
                Err(error) => after_failure(&worker, &error).await,
            },
        }
    }
}

fn open(worker: &Rc<Worker>, stream: TcpStream, peer: SocketAddr, purpose: &Purpose) {
    if !worker.descriptors.admit(&stream) {
        return worker.descriptors.count_missed();
    }
    let Some(place) = worker.connections.enter(purpose.direction()) else {
        worker
            .refused_connections
            .set(worker.refused_connections.get() + 1);
        return;
    };
    let (key, own) = (place.key(), Rc::clone(worker));
    let task = match purpose.clone() {
        Purpose::Meant(entry) => {
            let Ok(charges) = charge(worker, peer, &entry) else {
                return;
            };
            tune(&stream);
            let protocol = speech::declared(&worker.live.borrow(), &entry);
            spawn_local(async move {
                downstream::serve(protocol, own, stream, (peer, entry), place).await;
                drop(charges);
            })
        }
        Purpose::Captured { direction, meant } => {
            tune(&stream);
            spawn_local(capture::serve(own, stream, peer, (direction, meant), place))
        }
    };
    Place::set_task(&worker.connections, key, task.abort_handle());
}

/// What limits of connections charge for one more, or how they refuse it.
pub(crate) fn charge(
    worker: &Rc<Worker>,
    peer: SocketAddr,
    entry: &Entry,
) -> Result<Option<Charges>, Refusal> {
    let live = Rc::clone(&worker.live.borrow());
    let Some(cluster) = live.entered(entry) else {
        return Ok(None);
    };
    let charges = cluster.doors.open(worker, peer.ip());
    charges.inspect_err(|refusal| worker.remember_connection(cluster, refusal))
}

/// A peer that went before it was accepted costs nothing; anything else waits until others have left.
async fn after_failure(worker: &Worker, error: &io::Error) {
    if !matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    ) {
        worker.descriptors.count_missed();
        tokio::time::sleep(PAUSE).await;
    }
}
