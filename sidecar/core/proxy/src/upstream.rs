//! Connections to upstreams, whatever is spoken over them: those that rest, when they are not used again, and the cap
//! that a cluster has on them.
//!
//! A cluster's cap counts connections in use by the permits of its gate; those that rest are counted apart, and make
//! room for a new one when there is none.

mod dial;
mod in_use;

use std::rc::Rc;

pub(crate) use dial::{NoConnection, dial};
pub(crate) use in_use::InUse;

use crate::clock::nanoseconds;
use crate::config;
use crate::live::Cluster;
use crate::worker::Worker;
use crate::{h1, h2};

/// The connections to one endpoint, by protocol.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    pub(crate) h1: h1::Pool,
    pub(crate) h2: h2::Pool,
}

impl Pools {
    /// Closes what has rested for too long, is old, or was closed by the endpoint.
    pub(crate) fn sweep(&self, retirement: &Retirement, now_ns: u64) {
        self.h1.sweep(retirement, now_ns);
        self.h2.sweep(retirement, now_ns);
    }

    /// Closes everything that rests; nothing comes back.
    pub(crate) fn close(&self) {
        self.h1.close();
        self.h2.close();
    }

    /// How many connections rest.
    pub(crate) fn idle(&self) -> usize {
        self.h1.idle() + self.h2.idle()
    }

    /// Since when the longest resting connection rests.
    fn oldest_ns(&self) -> Option<u64> {
        let oldest = self.h1.oldest_ns().into_iter().chain(self.h2.oldest_ns());
        oldest.min()
    }

    /// Closes the longest resting connection.
    fn evict_oldest(&self) {
        match (self.h1.oldest_ns(), self.h2.oldest_ns()) {
            (Some(h1), Some(h2)) if h1 < h2 => self.h1.evict_oldest(),
            (_, Some(_)) => self.h2.evict_oldest(),
            _ => self.h1.evict_oldest(),
        }
    }
}

/// When a connection is not used again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retirement {
    idle_ns: u64,
    age_ns: u64,
    requests: u32,
}

impl Retirement {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        let pool = cluster.config.pool.as_ref().map(|block| &block.params);
        let age = pool.and_then(|pool: &config::Pool| pool.max_age);
        Self {
            idle_ns: nanoseconds(cluster.timeouts.idle),
            age_ns: age.map_or(u64::MAX, nanoseconds),
            requests: pool.and_then(|pool| pool.max_requests).unwrap_or(u32::MAX),
        }
    }

    /// Whether a connection carries no further request.
    pub(crate) const fn is_due(&self, born_ns: u64, served: u32, now_ns: u64) -> bool {
        now_ns.saturating_sub(born_ns) >= self.age_ns || served >= self.requests
    }

    /// Whether a connection has rested for too long.
    pub(crate) const fn has_rested(&self, since_ns: u64, now_ns: u64) -> bool {
        now_ns.saturating_sub(since_ns) >= self.idle_ns
    }
}

/// Closes connections that rest, the longest first, until one more stays within the cap.
pub(crate) fn make_room(worker: &Worker, cluster: &Cluster) {
    let Some(gate) = &cluster.connections else {
        return;
    };
    let (most, used) = gate.look(|gate| (gate.params().max_concurrent, gate.in_flight()));
    while let Some((resting, oldest)) = resting(worker, [cluster])
        && used as usize + resting > most as usize
    {
        oldest.evict_oldest();
    }
}

/// Closes the connection that rests longest, whomever it leads to.
fn close_oldest(worker: &Worker) {
    let live = Rc::clone(&worker.live.borrow());
    if let Some((_, oldest)) = resting(worker, live.all().map(AsRef::as_ref)) {
        oldest.evict_oldest();
    }
}

/// How many connections of the clusters rest, and where the longest resting one does.
fn resting<'a>(
    worker: &Worker,
    clusters: impl IntoIterator<Item = &'a Cluster>,
) -> Option<(usize, Rc<Pools>)> {
    let (mut count, mut oldest) = (0, None);
    for cluster in clusters {
        for endpoints in &cluster.ports {
            endpoints.visit(worker, cluster, |endpoint, _| {
                count += endpoint.pools.idle();
                oldest = older(oldest.take(), &endpoint.pools);
            });
        }
    }
    oldest.map(|(_, pools)| (count, pools))
}

/// The longer resting of `oldest` and what is in `pools`, with the instant since when it rests.
fn older(oldest: Option<(u64, Rc<Pools>)>, pools: &Rc<Pools>) -> Option<(u64, Rc<Pools>)> {
    let Some(since_ns) = pools.oldest_ns() else {
        return oldest;
    };
    match oldest {
        Some(known) if known.0 <= since_ns => Some(known),
        _ => Some((since_ns, Rc::clone(pools))),
    }
}
