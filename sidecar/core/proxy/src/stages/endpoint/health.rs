//! Active health checks: when each endpoint is asked, and what becomes of its answer.

use std::net::SocketAddr;
use std::rc::Rc;

use policy::health_check::{Probes, Verdict};
use tokio::task::spawn_local;
use tokio::time::{sleep_until, timeout};

use super::{Endpoint, EndpointSet};
use crate::chance::Chance;
use crate::config::{self, HealthCheck};
use crate::live::Cluster;
use crate::probe;
use crate::report::{Event, EventKind};
use crate::worker::Worker;

/// The longest time until a new health check is noticed.
const LOOK_NS: u64 = 1_000_000_000;

/// The probes of one endpoint.
#[derive(Debug)]
pub(crate) struct Probed {
    pub(super) probes: Probes,
    is_asked: bool,
}

impl Endpoint {
    /// Begins to be probed, goes on with what is known, or ends.
    pub(super) fn reconfigure_probes(
        &mut self,
        config: &config::Cluster,
        now_ns: u64,
        chance: &Chance,
    ) {
        let check = config.health_check.as_ref().map(|block| &block.params);
        match (&self.probed, check) {
            (None, Some(check)) => {
                self.probed = Some(Probed {
                    probes: Probes::new(&check.params, now_ns, chance.draw()),
                    is_asked: false,
                });
            }
            (Some(_), None) => self.probed = None,
            _ => {}
        }
    }
}

/// Asks every endpoint of every cluster whenever it is due, for as long as the worker lives.
pub(crate) async fn watch(worker: Rc<Worker>) {
    loop {
        let now_ns = worker.clock.now_ns();
        let live = Rc::clone(&worker.live.borrow());
        let mut next_ns = now_ns + LOOK_NS;
        for cluster in live.clusters.values() {
            if let Some(block) = &cluster.config.health_check {
                for set in &cluster.ports {
                    let due_ns = set.ask_due(&worker, cluster, &block.params, now_ns);
                    next_ns = next_ns.min(due_ns);
                }
            }
        }
        sleep_until(worker.clock.instant(next_ns)).await;
    }
}

impl EndpointSet {
    /// Asks whoever is due, each apart; when the next one will be.
    fn ask_due(
        self: &Rc<Self>,
        worker: &Rc<Worker>,
        cluster: &Rc<Cluster>,
        check: &HealthCheck,
        now_ns: u64,
    ) -> u64 {
        let mut next_ns = u64::MAX;
        for endpoint in self.endpoints.borrow_mut().iter_mut() {
            let Some(probed) = endpoint.probed.as_mut().filter(|probed| !probed.is_asked) else {
                continue;
            };
            if probed.probes.due_ns() > now_ns {
                next_ns = next_ns.min(probed.probes.due_ns());
                continue;
            }
            probed.is_asked = true;
            spawn_local(ask(
                Rc::clone(worker),
                Rc::clone(cluster),
                Rc::clone(self),
                (endpoint.id, endpoint.address),
                check.clone(),
            ));
        }
        next_ns
    }

    /// Takes an answer; tells when it changes the verdict.
    fn note_answer(
        &self,
        worker: &Worker,
        cluster: &Cluster,
        (id, check): (u64, &HealthCheck),
        has_passed: bool,
    ) {
        let now_ns = worker.clock.now_ns();
        let draw = worker.chance.draw();
        let event = self.with(id, 0, |endpoint| {
            let probed = endpoint.probed.as_mut()?;
            probed.is_asked = false;
            let before = probed.probes.verdict();
            let verdict = probed
                .probes
                .on_result(&check.params, has_passed, now_ns, draw)?;
            let is_healthy = verdict == Verdict::Healthy;
            let is_news = !(is_healthy && before == Verdict::Unknown);
            is_news.then(|| event(worker, cluster, endpoint, is_healthy, now_ns))
        });
        if let Some(event) = event.flatten() {
            worker.journal.tell(event);
            self.readiness.borrow_mut().invalidate();
            self.refresh(worker, cluster, &mut self.endpoints.borrow_mut(), now_ns);
        }
    }
}

/// Asks one endpoint once.
async fn ask(
    worker: Rc<Worker>,
    cluster: Rc<Cluster>,
    set: Rc<EndpointSet>,
    (id, address): (u64, SocketAddr),
    check: HealthCheck,
) {
    let host = cluster.config.service.name();
    let answer = timeout(check.timeout, probe::passes(&check.probe, address, host));
    let has_passed = answer.await.unwrap_or(false);
    set.note_answer(&worker, &cluster, (id, &check), has_passed);
}

fn event(
    worker: &Worker,
    cluster: &Cluster,
    endpoint: &Endpoint,
    is_healthy: bool,
    now_ns: u64,
) -> Event {
    Event {
        at: worker.clock.wall(now_ns),
        service: cluster.config.service.clone(),
        endpoint: Some(endpoint.instance.clone()),
        kind: EventKind::Health { is_healthy },
    }
}
