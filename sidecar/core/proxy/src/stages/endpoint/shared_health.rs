//! Health checks shared among callers: which of them probes an endpoint, and what the others found.
//!
//! The control plane tells who checks a service and what they found. While it tells nothing, every sidecar probes
//! every endpoint and believes itself alone, as it does from its start until it is told for the first time.
//!
//! Who probes an endpoint changes hands, and for a while nobody may know how it is: one that was found unhealthy is held
//! so until somebody finds it healthy. So the control plane is told what is held, and says of it what it knows, be it
//! nothing; what it does not name is well.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use policy::health_check::{Verdict, Votes, checker, is_prober};

use super::EndpointSet;
use super::health::Probed;
use crate::clock::nanoseconds;
use crate::config::ServiceName;
use crate::live::Cluster;
use crate::report::{DoubtedEndpoint, EndpointVerdict, EndpointVotes, OthersHealth, OwnHealth};
use crate::worker::Worker;

/// Who checks each service.
#[derive(Debug)]
pub(crate) struct Checks {
    /// This sidecar among them.
    own: u64,
    told: RefCell<HashMap<ServiceName, Checkers>>,
}

/// The sidecars that check one service.
#[derive(Debug)]
struct Checkers {
    version: u64,
    all: Vec<u64>,
    until_ns: u64,
}

impl Checks {
    pub(crate) fn of(instance: &str) -> Self {
        Self {
            own: checker(instance),
            told: RefCell::default(),
        }
    }

    /// Whether this sidecar is one of those that probe an endpoint.
    pub(super) fn are_ours(&self, service: &ServiceName, instance: &str, probers: u32) -> bool {
        let told = self.told.borrow();
        told.get(service)
            .is_none_or(|checkers| is_prober(self.own, &checkers.all, instance, probers))
    }

    fn version(&self, service: &ServiceName) -> u64 {
        let told = self.told.borrow();
        told.get(service).map_or(0, |checkers| checkers.version)
    }

    fn take(&self, health: &OthersHealth, until_ns: u64) {
        let mut told = self.told.borrow_mut();
        match told.get_mut(&health.service) {
            Some(known) if known.version == health.version => known.until_ns = until_ns,
            _ if health.checkers.is_empty() => {}
            _ => {
                let checkers = Checkers {
                    version: health.version,
                    all: health.checkers.clone(),
                    until_ns,
                };
                told.insert(health.service.clone(), checkers);
            }
        }
    }

    /// Forgets who checks a service when nobody has said so for long; whether it did.
    pub(super) fn lapse(&self, service: &ServiceName, now_ns: u64) -> bool {
        let mut told = self.told.borrow_mut();
        let is_over = told
            .get(service)
            .is_some_and(|checkers| checkers.until_ns <= now_ns);
        if is_over {
            told.remove(service);
        }
        is_over
    }
}

/// What this sidecar's probes found, of each service with health checks.
pub(crate) fn own(worker: &Worker) -> Vec<OwnHealth> {
    let live = Rc::clone(&worker.live.borrow());
    let checked = live.clusters.values().filter_map(Cluster::prober);
    let mut all: Vec<_> = checked.map(|cluster| own_of(worker, cluster)).collect();
    all.sort_by(|one, other| one.service.cmp(&other.service));
    all
}

fn own_of(worker: &Worker, cluster: &Cluster) -> OwnHealth {
    let service = cluster.config.service.clone();
    let (mut verdicts, mut doubted) = (Vec::new(), Vec::new());
    for set in &cluster.ports {
        let port = set.port();
        set.visit_probed(|instance, probed| {
            let instance = Arc::clone(instance);
            match probed.own_verdict() {
                Verdict::Unknown if probed.verdict() == Verdict::Unhealthy => {
                    doubted.push(DoubtedEndpoint { instance, port });
                }
                Verdict::Unknown => {}
                verdict => verdicts.push(EndpointVerdict {
                    instance,
                    port,
                    is_healthy: verdict == Verdict::Healthy,
                }),
            }
        });
    }
    OwnHealth {
        version: worker.checks.version(&service),
        service,
        verdicts,
        doubted,
    }
}

/// Takes what others found.
pub(crate) fn take(worker: &Worker, health: Vec<OthersHealth>, holds: Duration) {
    let live = Rc::clone(&worker.live.borrow());
    let until_ns = worker.clock.now_ns().saturating_add(nanoseconds(holds));
    for told in health {
        worker.checks.take(&told, until_ns);
        if let Some(cluster) = live.clusters.get(&told.service).and_then(Cluster::prober) {
            for set in &cluster.ports {
                set.take_votes(worker, cluster, &told.votes);
            }
        }
    }
}

impl EndpointSet {
    /// Takes what others found of each endpoint.
    fn take_votes(&self, worker: &Worker, cluster: &Cluster, votes: &[EndpointVotes]) {
        let of = |instance: &str| {
            let is_it =
                |told: &&EndpointVotes| told.port == self.port && *told.instance == *instance;
            votes.iter().find(is_it).map(|told| told.votes)
        };
        for endpoint in self.endpoints.borrow_mut().iter_mut() {
            if let Some(probed) = &mut endpoint.probed {
                probed.take_votes(of(&endpoint.instance));
            }
        }
        self.tell_health(worker, cluster);
    }

    /// Forgets what others found; what they found unhealthy is held so until it is probed here.
    pub(super) fn forget_votes(&self, worker: &Worker, cluster: &Cluster) {
        for endpoint in self.endpoints.borrow_mut().iter_mut() {
            if let Some(probed) = &mut endpoint.probed {
                probed.votes = Votes::default();
            }
        }
        self.tell_health(worker, cluster);
    }

    fn visit_probed(&self, mut each: impl FnMut(&Arc<str>, &Probed)) {
        for endpoint in self.endpoints.borrow().iter() {
            if let Some(probed) = &endpoint.probed {
                each(&endpoint.instance, probed);
            }
        }
    }
}
