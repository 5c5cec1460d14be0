//! A connection for an attempt: one that rests, else a new one, within the cluster's cap.

use policy::Criticality;
use tokio::time::timeout;

use super::peer::Peer;
use crate::exchange::Destination;
use crate::gate::{Entry, Permit};
use crate::live::Cluster;
use crate::upstream::{NoConnection, Retirement, dial, make_room};
use crate::worker::Worker;

/// A connection to `to`; `fresh` if one that rested will not do. `place` is its place among the cluster's, taken if
/// there is none yet.
pub(super) async fn connect(
    worker: &Worker,
    place: &mut Option<Permit>,
    to: &Destination,
    fresh: bool,
    now_ns: u64,
) -> Result<Box<Peer>, NoConnection> {
    take_place(place, &to.cluster).await?;
    if let Some(peer) = (!fresh).then(|| wake(to, now_ns)).flatten() {
        return Ok(peer);
    }
    make_room(worker, &to.cluster);
    let stream = dial(worker, to.address, to.cluster.timeouts.connect).await?;
    let peer = Peer::new(stream, &to.pools, Retirement::of(&to.cluster), now_ns);
    Ok(Box::new(peer))
}

/// A connection to `to` that rested, with its place among the cluster's, if neither takes a wait.
pub(super) fn connect_at_once(
    place: &mut Option<Permit>,
    to: &Destination,
    now_ns: u64,
) -> Option<Box<Peer>> {
    if let (None, Some(gate)) = (&place, &to.cluster.connections) {
        *place = Some(gate.enter_at_once(Criticality::Default)?);
    }
    wake(to, now_ns)
}

/// A connection that rested, about to carry another exchange.
fn wake(to: &Destination, now_ns: u64) -> Option<Box<Peer>> {
    let retirement = Retirement::of(&to.cluster);
    let mut peer = to.pools.h1.take(&retirement, now_ns)?;
    peer.wake(retirement);
    Some(peer)
}

/// Takes one of the cluster's places, waiting in line for it as long as connecting may take.
pub(crate) async fn take_place(
    place: &mut Option<Permit>,
    cluster: &Cluster,
) -> Result<(), NoConnection> {
    let Some(gate) = &cluster.connections else {
        return Ok(());
    };
    if place.is_some() {
        return Ok(());
    }
    let permit = match gate.enter(Criticality::Default) {
        Entry::Open(permit) => permit,
        Entry::Full => return Err(NoConnection::NoPlace),
        Entry::Wait(wait) => {
            let waited = timeout(cluster.timeouts.connect, wait).await;
            waited.map_err(|_| NoConnection::NoPlace)?
        }
    };
    *place = Some(permit);
    Ok(())
}
