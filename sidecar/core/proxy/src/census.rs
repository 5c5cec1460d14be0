//! What a worker counts and holds, copied out as families and statuses.

mod families;

use std::time::Duration;

use crate::report::{BreakerStatus, EndpointStatus, LimitStatus, Stats};
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
    worker.visit_tallies(|direction, service, tally: &Tally| {
        stats.in_flight += tally.in_flight.get();
        let is_recent = tally.called_ns.get() > now_ns.saturating_sub(CALLED_NS);
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
    for cluster in worker.live.borrow().clusters.values() {
        if let Some(guard) = &cluster.breaker {
            statuses.push(guard.borrow_mut().status(worker, cluster, None));
        }
        for set in &cluster.ports {
            set.visit(worker, cluster, |endpoint, _| {
                if let Some(guard) = &mut endpoint.guard {
                    statuses.push(guard.status(worker, cluster, Some(&endpoint.instance)));
                }
            });
        }
    }
    statuses.sort_by(|one, other| {
        (&one.service, &one.endpoint).cmp(&(&other.service, &other.endpoint))
    });
    statuses
}

/// Every limit, sorted by service, policy and name.
pub(crate) fn limits(worker: &Worker) -> Vec<LimitStatus> {
    let at = worker.moment(worker.clock.now_ns());
    let mut statuses = Vec::new();
    for cluster in worker.live.borrow().all() {
        cluster.visit_limits(|rule, limiter| {
            statuses.push(LimitStatus {
                service: cluster.config.service.clone(),
                direction: cluster.direction,
                policy: rule.policy.clone(),
                limit: (*rule.name).into(),
                rate: limiter.params().algorithm.rate(),
                capacity: limiter.capacity(),
                remaining: limiter.least_remaining(at),
                keys: limiter.keys() as u32,
                allowed: rule.counts.allowed.get(),
                limited: rule.counts.limited.get(),
                exempt: rule.counts.exempt.get(),
                shadow: rule.counts.shadow.get(),
            });
        });
    }
    let key = |status: &LimitStatus| {
        (
            status.service.clone(),
            status.policy.to_string(),
            status.limit.clone(),
        )
    };
    statuses.sort_by_cached_key(key);
    statuses
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
                    outlier: endpoint.record.cause(now_ns).filter(|_| !ready),
                    returns_in: endpoint.record.ejected(now_ns).map(left),
                    share: endpoint.record.share(now_ns),
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
