//! What a worker counts and holds, copied out as families and statuses.

mod families;
mod routes;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::routes::routes;
use crate::live::Cluster;
use crate::report::{BreakerStatus, EndpointStatus, LimitStatus, Stats};
use crate::stages::breaker::Guard;
use crate::stages::rate_limit::resource;
use crate::tally::Tally;
use crate::worker::Worker;

/// For how long a service counts as called.
const CALLED_NS: u64 = 60_000_000_000;

/// Everything measured, and who was called.
pub(crate) fn stats(worker: &Worker) -> Stats {
    let now_ns = worker.clock.now_ns();
    let mut stats = Stats {
        families: families::all(worker),
        ..Stats::default()
    };
    worker.accounts.visit(|direction, service, tallies| {
        let is_recent =
            |(_, tally): (&str, &Tally)| tally.called_ns.get() > now_ns.saturating_sub(CALLED_NS);
        let is_recent = tallies.iter().any(is_recent);
        stats.in_flight += tallies.sum(|tally| tally.in_flight.get().into()) as u32;
        let is_outbound = direction == crate::report::Direction::Outbound;
        if let Some(service) = service.filter(|_| is_outbound && is_recent) {
            stats.called.push(service.clone());
        }
    });
    stats.called.sort();
    stats
}

/// Every breaker, sorted by service and endpoint.
pub(crate) fn breakers(worker: &Worker) -> Vec<BreakerStatus> {
    let mut statuses = Vec::new();
    visit_breakers(worker, |cluster, endpoint, guard| {
        statuses.push(guard.status(worker, cluster, endpoint));
    });
    statuses.sort_by(|one, other| {
        (&one.service, &one.route, &one.endpoint).cmp(&(
            &other.service,
            &other.route,
            &other.endpoint,
        ))
    });
    statuses
}

/// Hands every breaker to `each`, with its service and, if it guards one, the instance of its endpoint.
fn visit_breakers(worker: &Worker, mut each: impl FnMut(&Cluster, Option<&Arc<str>>, &mut Guard)) {
    let live = worker.live.borrow();
    for (cluster, guard) in live.guards() {
        let mut guard = guard.borrow_mut();
        guard.check(worker, cluster, None);
        each(cluster, None, &mut guard);
    }
    for cluster in live.clusters.values() {
        for set in &cluster.ports {
            set.visit(worker, cluster, |endpoint, _| {
                if let Some(guard) = &mut endpoint.guard {
                    each(cluster, Some(&endpoint.instance), guard);
                }
            });
        }
    }
}

/// Every limit, sorted by service, policy and name.
pub(crate) fn limits(worker: &Worker) -> Vec<LimitStatus> {
    let at = worker.moment(worker.clock.now_ns());
    let mut statuses = Vec::new();
    for cluster in worker.live.borrow().limited() {
        cluster.visit_limits(|rule, limiter| {
            statuses.push(LimitStatus {
                service: cluster.config.service.clone(),
                direction: cluster.direction,
                policy: rule.stated.policy.clone(),
                limit: (*rule.stated.name).into(),
                route: rule.stated.route().map(Into::into),
                rate: limiter.params().algorithm.rate(),
                capacity: limiter.capacity(),
                remaining: limiter.least_remaining(at),
                keys: limiter.keys() as u32,
                allowed: rule.stated.counts.allowed.get(),
                limited: rule.stated.counts.limited.get(),
                exempt: rule.stated.counts.exempt.get(),
                shadow: rule.stated.counts.shadow.get(),
            });
        });
    }
    for cluster in worker.live.borrow().limited() {
        let resources = cluster.limits.resources.iter();
        statuses.extend(resources.map(|rule| resource(cluster, rule)));
    }
    let key = |status: &LimitStatus| {
        (
            status.service.clone(),
            status.policy.to_string(),
            status.limit.clone(),
            status.route.clone(),
        )
    };
    statuses.sort_by_cached_key(key);
    statuses
}

/// A limit of resources counts percent: those of what is used most.
fn resource(cluster: &Cluster, rule: &resource::Rule) -> LimitStatus {
    let stated = &rule.stated;
    let used = rule
        .used()
        .map_or(0, |used| u64::from(used.millionths()).div_ceil(10_000));
    LimitStatus {
        service: cluster.config.service.clone(),
        direction: cluster.direction,
        policy: stated.policy.clone(),
        limit: (*stated.name).into(),
        route: stated.route().map(Into::into),
        rate: None,
        capacity: 100,
        remaining: 100_u64.saturating_sub(used),
        keys: 0,
        allowed: stated.counts.allowed.get(),
        limited: stated.counts.limited.get(),
        exempt: stated.counts.exempt.get(),
        shadow: stated.counts.shadow.get(),
    }
}

/// The name of the instance group at this place.
fn group_name(cluster: &Cluster, place: Option<usize>) -> Option<Box<str>> {
    let groups = &cluster.config.groups.as_ref()?.params.groups;
    Some(groups.get(place?)?.name.clone())
}

/// Every endpoint that the workload calls, sorted by service and instance.
pub(crate) fn endpoints(worker: &Worker) -> Vec<EndpointStatus> {
    let now_ns = worker.clock.now_ns();
    let left = |(_, until_ns): (u64, u64)| Duration::from_nanos(until_ns.saturating_sub(now_ns));
    let mut statuses = Vec::new();
    for cluster in worker.live.borrow().clusters.values() {
        for set in &cluster.ports {
            set.visit(worker, cluster, |endpoint, ready| {
                statuses.push(EndpointStatus {
                    service: cluster.config.service.clone(),
                    instance: endpoint.instance.clone(),
                    address: endpoint.address,
                    ready,
                    in_flight: endpoint.load.in_flight(),
                    latency: Duration::from_nanos(endpoint.load.latency_ns(now_ns)),
                    idle_connections: endpoint.pools.idle() as u32,
                    weight: endpoint.weight,
                    group: group_name(cluster, endpoint.group),
                    outlier: endpoint.record.cause(now_ns).filter(|_| !ready),
                    returns_in: endpoint.record.ejected(now_ns).map(left),
                    share: endpoint.record.share(now_ns),
                    health: endpoint.health(),
                    breaker: endpoint.guard.as_ref().map(|guard| guard.standing(now_ns)),
                });
            });
        }
    }
    statuses.sort_by(|one, other| {
        (&one.service, &one.instance, one.address).cmp(&(
            &other.service,
            &other.instance,
            other.address,
        ))
    });
    statuses
}
