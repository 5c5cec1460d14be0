//! Active health checks: when each endpoint is asked, and what becomes of its answer and of others' answers.

use std::net::SocketAddr;
use std::rc::Rc;

use policy::health_check::{Probes, Verdict, Votes, together};
use tokio::task::spawn_local;
use tokio::time::{sleep_until, timeout};

use super::{Endpoint, EndpointSet, returned};
use crate::chance::Chance;
use crate::config::{self, HealthCheck};
use crate::live::Cluster;
use crate::probe;
use crate::report::{EndpointHealth, Event, EventKind};
use crate::worker::Worker;

/// The longest time until a new health check is noticed.
const LOOK_NS: u64 = 1_000_000_000;

/// The probes of one endpoint.
#[derive(Debug)]
pub(crate) struct Probed {
    probes: Probes,
    /// What other sidecars found.
    pub(super) votes: Votes,
    /// What other probes than its own say: those that act, where they ask the same.
    heard: Option<Verdict>,
    /// What people were told last.
    told: Verdict,
    /// Whether it is held unhealthy while nobody knows: somebody found it so, and nobody has found it healthy since.
    is_doubted: bool,
    is_asked: bool,
}

impl Probed {
    fn new(probes: Probes) -> Self {
        Self {
            probes,
            votes: Votes::default(),
            heard: None,
            told: Verdict::Unknown,
            is_doubted: false,
            is_asked: false,
        }
    }

    /// What this sidecar's own probes say.
    pub(crate) const fn own_verdict(&self) -> Verdict {
        self.probes.verdict()
    }

    /// The verdict, if it has become another one that matters: that the first answer is good does not.
    fn news(&mut self) -> Option<Verdict> {
        let verdict = self.verdict();
        self.is_doubted = verdict == Verdict::Unhealthy;
        let before = std::mem::replace(&mut self.told, verdict);
        let is_news = (verdict == Verdict::Unhealthy) != (before == Verdict::Unhealthy);
        is_news.then_some(verdict)
    }

    /// Takes what others found; `None`: none of them found it unhealthy.
    pub(super) fn take_votes(&mut self, votes: Option<Votes>) {
        self.is_doubted &= votes.is_some();
        self.votes = votes.unwrap_or_default();
    }

    /// What everybody who probes it says together, or what they said last of an unhealthy one while nobody knows.
    pub(crate) fn verdict(&self) -> Verdict {
        let own = || match together(self.probes.verdict(), self.votes) {
            Verdict::Unknown if self.is_doubted => Verdict::Unhealthy,
            verdict => verdict,
        };
        self.heard.unwrap_or_else(own)
    }
}

impl Endpoint {
    /// What its probers say.
    pub(crate) fn health(&self) -> Option<EndpointHealth> {
        let probed = self.probed.as_ref()?;
        Some(EndpointHealth {
            verdict: probed.verdict(),
            is_probed_here: probed.own_verdict() != Verdict::Unknown,
            others: probed.votes,
        })
    }

    /// Begins to be probed, goes on with what is known, or ends.
    pub(super) fn reconfigure_probes(
        &mut self,
        config: &config::Cluster,
        now_ns: u64,
        chance: &Chance,
    ) {
        let check = config.health_check.as_ref().map(|block| &block.params);
        match (&mut self.probed, check) {
            (None, Some(check)) => {
                let probes = Probes::new(&check.params, now_ns, chance.draw());
                self.probed = Some(Probed::new(probes));
            }
            (Some(probed), Some(check)) => {
                probed
                    .probes
                    .reconfigure(&check.params, now_ns, chance.draw());
            }
            (_, None) => self.probed = None,
        }
    }
}

/// Asks every endpoint of every cluster whenever it is due, for as long as the worker lives.
pub(crate) async fn watch(worker: Rc<Worker>) {
    loop {
        let now_ns = worker.clock.now_ns();
        let live = Rc::clone(&worker.live.borrow());
        let mut next_ns = now_ns + LOOK_NS;
        for cluster in live.clusters.values().flat_map(probing) {
            if let Some(block) = &cluster.config.health_check {
                let has_lapsed = worker.checks.lapse(&cluster.config.service, now_ns);
                for set in &cluster.ports {
                    if has_lapsed {
                        set.forget_votes(&worker, cluster);
                    }
                    let due_ns = set.ask_due(&worker, cluster, &block.params, now_ns);
                    next_ns = next_ns.min(due_ns);
                }
            }
        }
        sleep_until(worker.clock.instant(next_ns)).await;
    }
}

/// What of a service has its endpoints probed: what acts, and what is in shadow, unless that would ask the same.
fn probing(cluster: &Rc<Cluster>) -> impl Iterator<Item = &Rc<Cluster>> {
    let shadow = cluster.foreseen.iter();
    [cluster]
        .into_iter()
        .chain(shadow.filter(|it| !it.hears(cluster)))
}

impl Cluster {
    /// What has its endpoints probed for everybody who calls the service: what acts, or else what is in shadow.
    pub(super) fn prober(self: &Rc<Self>) -> Option<&Rc<Self>> {
        let mut both = [self].into_iter().chain(&self.foreseen);
        both.find(|cluster| cluster.config.health_check.is_some())
    }

    /// Whether it would ask what another one asks.
    fn hears(&self, other: &Self) -> bool {
        self.config.health_check == other.config.health_check
    }

    /// Tells what is in shadow what the probes that act say, where it would ask the same.
    pub(crate) fn lend_verdicts(&self) {
        let Some(shadow) = &self.foreseen else { return };
        for set in &self.ports {
            if let Some(listener) = shadow.port(set.port()) {
                listener.hear(set, shadow.hears(self));
            }
        }
    }
}

impl EndpointSet {
    /// Takes over what is known of the same endpoints, or nothing any more.
    fn hear(&self, other: &Self, hears: bool) {
        let (mut own, others) = (self.endpoints.borrow_mut(), other.endpoints.borrow());
        for (endpoint, known) in own.iter_mut().zip(others.iter()) {
            if let Some(probed) = &mut endpoint.probed {
                let known = known.probed.as_ref().filter(|_| hears);
                probed.heard = known.map(Probed::verdict);
            }
        }
        self.readiness.borrow_mut().invalidate();
    }

    /// Asks whoever is due, each apart; when the next one will be.
    fn ask_due(
        self: &Rc<Self>,
        worker: &Rc<Worker>,
        cluster: &Rc<Cluster>,
        check: &HealthCheck,
        now_ns: u64,
    ) -> u64 {
        let (mut next_ns, mut has_stood_back) = (u64::MAX, false);
        for endpoint in self.endpoints.borrow_mut().iter_mut() {
            let Some(probed) = endpoint.probed.as_mut().filter(|probed| !probed.is_asked) else {
                continue;
            };
            if probed.probes.due_ns() > now_ns {
                next_ns = next_ns.min(probed.probes.due_ns());
                continue;
            }
            let service = &cluster.config.service;
            if !worker
                .checks
                .are_ours(service, &endpoint.instance, check.probers)
            {
                let (votes, draw) = (probed.votes, worker.chance.draw());
                probed.probes.stand_back(&check.params, votes, now_ns, draw);
                next_ns = next_ns.min(probed.probes.due_ns());
                has_stood_back = true;
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
        if has_stood_back {
            self.tell_health(worker, cluster);
        }
        next_ns
    }

    /// Takes an answer.
    fn note_answer(
        &self,
        worker: &Worker,
        cluster: &Cluster,
        (id, check): (u64, &HealthCheck),
        has_passed: bool,
    ) {
        cluster.tally.count_probe(has_passed);
        let (now_ns, draw) = (worker.clock.now_ns(), worker.chance.draw());
        let verdict = self.with(id, 0, |endpoint| {
            let probed = endpoint.probed.as_mut()?;
            probed.is_asked = false;
            let probes = &mut probed.probes;
            probes.on_result(&check.params, has_passed, now_ns, draw)
        });
        if verdict.flatten().is_some() {
            self.tell_health(worker, cluster);
        }
    }

    /// Acts on verdicts that have changed, and tells of them.
    pub(super) fn tell_health(&self, worker: &Worker, cluster: &Cluster) {
        let now_ns = worker.clock.now_ns();
        let mut endpoints = self.endpoints.borrow_mut();
        let (mut has_changed, mut back) = (false, Vec::new());
        for (position, endpoint) in endpoints.iter_mut().enumerate() {
            let Some(verdict) = endpoint.probed.as_mut().and_then(Probed::news) else {
                continue;
            };
            has_changed = true;
            let is_healthy = verdict != Verdict::Unhealthy;
            if is_healthy {
                back.push(position);
            }
            cluster.tell(worker, || {
                event(worker, cluster, endpoint, is_healthy, now_ns)
            });
        }
        if has_changed {
            returned::restart(&mut endpoints, &back, now_ns);
            self.readiness.borrow_mut().invalidate();
            self.refresh(worker, cluster, &mut endpoints, now_ns);
            drop(endpoints);
            cluster.lend_verdicts();
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
