//! A connection for an attempt: one that rests, else a new one, within the cluster's cap.

use super::peer::Peer;
use crate::exchange::Destination;
use crate::upstream::{InUse, NoConnection, Retirement, dial, make_room};
use crate::worker::Worker;

/// A connection to `to`; `fresh` if one that rested will not do. `place` is its place among the cluster's, taken if
/// there is none yet.
pub(super) async fn connect(
    worker: &Worker,
    place: &mut Option<InUse>,
    to: &Destination,
    fresh: bool,
    now_ns: u64,
) -> Result<Box<Peer>, NoConnection> {
    InUse::take(place, to).await?;
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
    place: &mut Option<InUse>,
    to: &Destination,
    now_ns: u64,
) -> Option<Box<Peer>> {
    if !InUse::take_at_once(place, to) {
        return None;
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
