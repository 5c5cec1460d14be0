//! Following: what policies in shadow make of an endpoint that was picked without them.

use std::net::SocketAddr;
use std::rc::Rc;

use policy::Reason;
use policy::readiness::{Ask, Elsewhere};

use super::{Affinity, EndpointSet, Picked, Refusal};
use crate::live::Cluster;
use crate::worker::Worker;

/// What would have become of an attempt that was made.
#[derive(Debug)]
pub(crate) enum Followed {
    /// It could have gone where it went, and counts there.
    There(Picked),
    /// It would have gone elsewhere, and counts nowhere.
    Elsewhere(Elsewhere),
    /// It would not have been made.
    Nowhere(Refusal),
}

/// An attempt that was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    /// Where it went.
    pub(crate) address: SocketAddr,
    /// Where the one before it went.
    pub(crate) before: Option<SocketAddr>,
}

impl EndpointSet {
    /// Judges where an attempt went; nothing where the endpoint is not known here.
    pub(crate) fn follow(
        self: &Rc<Self>,
        worker: &Worker,
        cluster: &Cluster,
        affinity: &Affinity,
        made: Made,
        now_ns: u64,
    ) -> Option<Followed> {
        let mut endpoints = self.endpoints.borrow_mut();
        self.refresh(worker, cluster, &mut endpoints, now_ns);
        let place = |address| {
            let mut endpoints = endpoints.iter();
            let found = endpoints.position(|endpoint| endpoint.address == address)?;
            Some(found as u32)
        };
        let at = place(made.address)?;
        let mut ask = Ask {
            avoid: made.before.and_then(place),
            group: affinity.group,
            key: affinity.key,
            now_ns,
            draw: worker.chance.draw(),
            ..Ask::default()
        };
        let readiness = self.readiness.borrow();
        if readiness.ready(ask.group).is_empty() {
            let none = self.refusal(cluster, Reason::UpstreamNoEndpoints);
            return Some(Followed::Nowhere(none));
        }
        let balancer = &mut self.balancer.borrow_mut();
        if let Some(why) = readiness.elsewhere(&endpoints, balancer, &ask, at) {
            return Some(Followed::Elsewhere(why));
        }
        ask.only = Some(at);
        let picked = readiness.pick(&mut endpoints, balancer, &ask);
        let has_another = readiness.has_another(ask.group, at);
        drop(readiness);
        self.tell(worker, cluster, &mut endpoints);
        Some(match picked {
            Ok(picked) => Followed::There(self.hand_out(&mut endpoints, picked, affinity)),
            Err(_) if has_another => Followed::Elsewhere(Elsewhere::Breaker),
            Err(reason) => Followed::Nowhere(self.refusal(cluster, reason)),
        })
    }
}
