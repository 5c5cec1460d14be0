//! The rules of routes in force, each with where its requests go and which policies they meet there.

use std::sync::Arc;

use crate::config::{self, Reach, RouteBackend, Way};
use crate::entrances::Entrance;
use crate::live::{Cluster, Live};
use crate::name::{PolicyRef, ServiceName};
use crate::report::{BackendStatus, BlockPolicy, Direction, RouteStatus};
use crate::rules::Rule;
use crate::worker::Worker;

/// Every rule by which calls go or come in, sorted by service, then by route, those of one in their order.
pub(crate) fn routes(worker: &Worker) -> Vec<RouteStatus> {
    let live = worker.live.borrow();
    let now = Now {
        live: &live,
        unix_ns: worker.moment(worker.clock.now_ns()).unix_ns,
    };
    let mut statuses: Vec<RouteStatus> = Vec::new();
    for cluster in live.clusters.values() {
        statuses.extend(cluster.rules.iter().map(|rule| now.outbound(cluster, rule)));
    }
    for cluster in live.own() {
        let entrances = cluster
            .entrances
            .iter()
            .flat_map(|entrances| entrances.iter());
        for (service, entrance) in entrances {
            let status = now.inbound(cluster, service, entrance);
            if !statuses.iter().any(|other| other.is_same_rule(&status)) {
                statuses.push(status); // the same at another port tells nothing
            }
        }
    }
    statuses.sort_by_key(|status| (status.service.clone(), status.direction as u8));
    statuses
}

/// What is in force, and when.
struct Now<'a> {
    live: &'a Live,
    unix_ns: u64,
}

impl Now<'_> {
    /// A rule by which calls of a service go.
    fn outbound(&self, called: &Cluster, rule: &Rule) -> RouteStatus {
        let backends = rule.config.backends.iter().enumerate();
        let backends = backends.map(|(place, backend)| self.backend(called, rule, place, backend));
        RouteStatus {
            backends: backends.collect(),
            ..status(Direction::Outbound, &called.config.service, rule)
        }
    }

    /// A rule by which requests to a service come to one of our own.
    fn inbound(&self, own: &Cluster, called: &ServiceName, entrance: &Entrance) -> RouteStatus {
        let mut policies = self.scoped(own, &entrance.rule, false);
        let fronts = [(&entrance.front, false), (&entrance.shadow, true)];
        policies.extend(fronts.into_iter().filter_map(|(front, is_shadow)| {
            let policy = front.as_ref()?.rules.policy()?;
            Some(BlockPolicy {
                block: "backpressure",
                policy,
                is_shadow,
            })
        }));
        RouteStatus {
            backends: vec![BackendStatus {
                service: Some(own.config.service.clone()),
                port: None,
                weight: 1,
                is_held: true,
                policies,
            }],
            ..status(Direction::Inbound, called, &entrance.rule)
        }
    }

    fn backend(
        &self,
        called: &Cluster,
        rule: &Rule,
        place: usize,
        backend: &RouteBackend,
    ) -> BackendStatus {
        let name = backend.service.as_ref();
        let service = name.and_then(|name| self.live.clusters.get(name));
        let mut policies = Vec::new();
        if let Some(service) = service {
            let overlay = rule.overlay(place);
            policies.extend(blocks(&overlay.as_ref().unwrap_or(service).config));
            policies.extend(self.scoped(service, rule, false));
            if service.config.service != called.config.service {
                policies.extend(self.scoped(called, rule, true));
            }
        }
        BackendStatus {
            service: backend.service.clone(),
            port: backend.port,
            weight: backend.weight,
            is_held: service.is_some(),
            policies,
        }
    }

    /// The limits and rehearsals of a service that the requests of a rule meet.
    fn scoped(&self, cluster: &Cluster, rule: &Rule, leads_on: bool) -> Vec<BlockPolicy> {
        let way = Way {
            rule: Some(&rule.config),
            leads_on,
        };
        let met = |block, policy: &Arc<PolicyRef>, reach: &Reach, is_shadow| {
            let policy = Arc::clone(policy);
            let met = BlockPolicy {
                block,
                policy,
                is_shadow,
            };
            reach.includes(way).then_some(met)
        };
        let limits = cluster.config.limits.iter();
        let limits = limits.map(|it| met("limits", &it.policy, &it.reach, it.is_shadow));
        let faults = cluster.config.faults.iter();
        let faults = faults.filter(|fault| self.unix_ns < fault.until_unix_ns);
        let faults = faults.map(|it| met("fault", &it.policy, &it.reach, it.is_shadow));
        limits.chain(faults).flatten().collect()
    }
}

fn status(direction: Direction, called: &ServiceName, rule: &Rule) -> RouteStatus {
    let config = &rule.config;
    RouteStatus {
        direction,
        service: called.clone(),
        route: Arc::clone(&config.route),
        rule: config.name.clone(),
        ports: config.ports.clone(),
        matches: config
            .matches
            .matches
            .iter()
            .map(ToString::to_string)
            .collect(),
        backends: Vec::new(),
        mirrors: config.mirrors.clone(),
    }
}

/// The policies behind the settings of a service as a rule meets it, and what those in shadow would change.
fn blocks(config: &config::Cluster) -> Vec<BlockPolicy> {
    let block = |is_shadow| {
        move |(block, policy): (&'static str, &Arc<PolicyRef>)| BlockPolicy {
            block,
            policy: Arc::clone(policy),
            is_shadow,
        }
    };
    let mut found: Vec<_> = config.policies().map(block(false)).collect();
    let shadow = config.shadow.iter().flat_map(|shadow| shadow.policies());
    let shadow: Vec<_> = shadow.map(block(true)).collect();
    let is_told = |one: &BlockPolicy| {
        let mut acting = found.iter();
        acting.any(|other| (other.block, &other.policy) == (one.block, &one.policy))
    };
    let shadow: Vec<_> = shadow.into_iter().filter(|one| !is_told(one)).collect();
    found.extend(shadow);
    found
}
