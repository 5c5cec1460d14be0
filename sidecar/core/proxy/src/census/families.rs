//! Metric families: names and labels as documented, values read from plain cells.

mod breakers;
mod bulkheads;
mod endpoints;
mod faults;
mod fronts;
mod limits;
mod mirrors;
mod shadows;

use std::borrow::Cow;

use policy::histogram::{BOUNDS_NS, BUCKETS};

use crate::live::Cluster;
use crate::report::{Direction, Family, MetricKind, Point};
use crate::stages::record::method_name;
use crate::tally::{AttemptResult, Ended, HedgeResult};
use crate::worker::Worker;
use fronts::{
    admitted, concurrency_limit, queue_capacity, queue_depth, queue_growth, queue_wait,
    shadow_shed, shadow_wait, shed,
};

/// The bounds of the histogram in seconds.
const BOUNDS: [f64; BUCKETS - 1] = bounds();

const fn bounds() -> [f64; BUCKETS - 1] {
    let mut seconds = [0.0; BUCKETS - 1];
    let mut place = 0;
    while place < seconds.len() {
        seconds[place] = BOUNDS_NS[place] as f64 / 1e9;
        place += 1;
    }
    seconds
}

type Label = Cow<'static, str>;

/// Every family, sorted by name.
pub(super) fn all(worker: &Worker) -> Vec<Family> {
    let mut families = vec![
        admitted(worker),
        attempts(worker),
        breakers::states(worker),
        breakers::transitions(worker),
        bulkheads::in_flight(worker),
        queue_capacity(worker),
        queue_depth(worker),
        queue_growth(worker),
        queue_wait(worker),
        concurrency_limit(worker),
        connections(worker),
        endpoints::states(worker),
        endpoints::groups(worker),
        hedges(worker),
        fallbacks(worker),
        faults::faults(worker),
        probes(worker),
        in_flight(worker),
        limits::resources(worker),
        lost(worker),
        malformed(worker),
        mirrors::in_flight(worker),
        mirrors::mirrored(worker),
        requests(worker),
        durations(worker),
        shadow_shed(worker),
        shadows::refusals(worker),
        shadows::retries(worker),
        shadows::waits(worker),
        shadows::elsewhere(worker),
        shadows::hedges(worker),
        shadows::fallbacks(worker),
        shadow_wait(worker),
        shed(worker),
        budgets(worker),
        tables(worker),
    ];
    families.extend(limits::limits(worker));
    families.sort_by_key(|family| family.name);
    families
}

fn family(name: &'static str, kind: MetricKind, labels: &'static [&'static str]) -> Family {
    Family {
        name,
        kind,
        labels,
        bounds: &[],
        points: Vec::new(),
    }
}

fn counter(name: &'static str, labels: &'static [&'static str]) -> Family {
    family(name, MetricKind::Counter, labels)
}

fn gauge(name: &'static str, labels: &'static [&'static str]) -> Family {
    family(name, MetricKind::Gauge, labels)
}

impl Family {
    fn push(&mut self, labels: impl IntoIterator<Item = Label>, value: f64) {
        let labels = labels.into_iter().collect();
        self.points.push(Point {
            labels,
            value,
            buckets: Vec::new(),
        });
    }
}

fn word(word: &'static str) -> Label {
    Cow::Borrowed(word)
}

fn text(text: impl ToString) -> Label {
    Cow::Owned(text.to_string())
}

/// Direction, service and peer: who is called outbound, and which service of ours calls. Who calls inbound is not
/// verified, and so not told.
fn way(worker: &Worker, direction: Direction, service: Option<&crate::ServiceName>) -> [Label; 3] {
    let peer = match direction {
        Direction::Inbound => word(""),
        Direction::Outbound => own(worker),
    };
    let service = service.map_or(word(""), text);
    [word(direction.as_str()), service, peer]
}

/// Our own service, as far as it is known.
fn own(worker: &Worker) -> Label {
    let live = worker.live.borrow();
    live.config
        .peer
        .as_ref()
        .map_or_else(|| text(&worker.peer), text)
}

/// Failures that something else answered, or another service was asked to.
fn fallbacks(worker: &Worker) -> Family {
    let mut family = counter("breakwater_fallbacks_total", &["service", "by"]);
    worker.accounts.visit(|_, service, tallies| {
        let counts = [
            (
                "response",
                tallies.sum(|tally| tally.answered_instead.get()),
            ),
            ("service", tallies.sum(|tally| tally.asked_instead.get())),
        ];
        for (by, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            let service = service.map_or(word(""), text);
            family.push([service, word(by)], count as f64);
        }
    });
    family
}

fn requests(worker: &Worker) -> Family {
    let labels = &[
        "direction",
        "service",
        "peer",
        "route",
        "method",
        "code_class",
        "grpc_status",
        "reason",
    ];
    let mut family = counter("breakwater_requests_total", labels);
    worker.accounts.visit(|direction, service, tallies| {
        for (rule, tally) in tallies.iter() {
            tally.visit_requests(|ended, count| {
                let labels = way(worker, direction, service).into_iter();
                let labels = labels.chain([text(rule)]).chain(ended_labels(ended));
                family.push(labels, count as f64);
            });
        }
    });
    family
}

fn ended_labels(ended: &Ended) -> [Label; 4] {
    const CLASSES: [&str; 6] = ["", "1xx", "2xx", "3xx", "4xx", "5xx"];
    [
        word(method_name(ended.method)),
        word(
            CLASSES
                .get(usize::from(ended.class))
                .copied()
                .unwrap_or_default(),
        ),
        word(ended.code.map_or("", policy::grpc::Code::name)),
        word(ended.reason.map_or("", policy::Reason::as_str)),
    ]
}

fn durations(worker: &Worker) -> Family {
    let mut family = Family {
        bounds: &BOUNDS,
        ..family(
            "breakwater_request_duration_seconds",
            MetricKind::Histogram,
            &["direction", "service", "peer", "route"],
        )
    };
    worker.accounts.visit(|direction, service, tallies| {
        for (rule, tally) in tallies.iter() {
            let labels = way(worker, direction, service).into_iter();
            let histogram = tally.durations.borrow();
            family.points.push(Point {
                labels: labels.chain([text(rule)]).collect(),
                value: histogram.sum_ns() as f64 / 1e9,
                buckets: histogram.counts().to_vec(),
            });
        }
    });
    family
}

fn attempts(worker: &Worker) -> Family {
    let labels = &["service", "peer", "route", "result"];
    let mut family = counter("breakwater_attempts_total", labels);
    worker.accounts.visit(|direction, service, tallies| {
        if direction == Direction::Inbound || service.is_none() {
            return;
        }
        for (rule, tally) in tallies.iter() {
            for result in AttemptResult::ALL {
                let [_, service, peer] = way(worker, direction, service);
                let labels = [service, peer, text(rule), word(result.as_str())];
                family.push(labels, tally.attempts(result) as f64);
            }
        }
    });
    family
}

fn hedges(worker: &Worker) -> Family {
    let mut family = counter("breakwater_hedges_total", &["service", "peer", "result"]);
    worker.accounts.visit(|direction, service, tallies| {
        if direction == Direction::Inbound || service.is_none() {
            return;
        }
        for result in HedgeResult::ALL {
            let count = tallies.sum(|tally| tally.hedges(result));
            // Few services are hedged.
            if count > 0 {
                let [_, service, peer] = way(worker, direction, service);
                family.push([service, peer, word(result.as_str())], count as f64);
            }
        }
    });
    family
}

fn probes(worker: &Worker) -> Family {
    let mut family = counter("breakwater_health_probes_total", &["service", "result"]);
    worker.accounts.visit(|_, service, tallies| {
        for (has_passed, result) in [(true, "passed"), (false, "failed")] {
            let count = tallies.whole().probes(has_passed);
            if let (Some(service), 1..) = (service, count) {
                family.push([text(service), word(result)], count as f64);
            }
        }
    });
    family
}

fn in_flight(worker: &Worker) -> Family {
    let mut family = gauge("breakwater_inflight", &["direction", "service", "peer"]);
    worker.accounts.visit(|direction, service, tallies| {
        let labels = way(worker, direction, service);
        let in_flight = tallies.sum(|tally| tally.in_flight.get().into());
        family.push(labels, in_flight as f64);
    });
    family
}

/// A family with at most one value for each service that is called.
fn per_cluster(
    mut family: Family,
    value: impl Fn(&Cluster) -> Option<f64>,
    worker: &Worker,
) -> Family {
    for cluster in worker.live.borrow().clusters.values() {
        if let Some(value) = value(cluster) {
            family.push([text(&cluster.config.service)], value);
        }
    }
    family
}

fn budgets(worker: &Worker) -> Family {
    let now_ns = worker.clock.now_ns();
    let balance = |cluster: &Cluster| {
        let budget = cluster.budget.as_ref()?;
        Some(budget.borrow_mut().available(now_ns) as f64)
    };
    per_cluster(
        gauge("breakwater_retry_budget_balance", &["service"]),
        balance,
        worker,
    )
}

fn malformed(worker: &Worker) -> Family {
    let mut family = counter("breakwater_http1_refusals_total", &["cause"]);
    for (cause, count) in worker.journal.malformed() {
        family.push([word(cause.as_str())], count as f64);
    }
    family
}

/// What found no room.
fn lost(worker: &Worker) -> Family {
    let mut family = counter("breakwater_overflows_total", &["table"]);
    let (events, spans, lines) = worker.journal.lost();
    let counts = [
        ("events", events),
        ("spans", spans),
        ("log_lines", lines),
        ("connections", worker.refused_connections.get()),
        ("descriptors", worker.descriptors.missed()),
        ("demands", worker.demands.size().2),
        ("traces", worker.across.size().1),
        ("services", worker.accounts.size().1),
        ("callers", worker.forgotten_callers.get()),
    ];
    for (table, count) in counts {
        family.push([word(table)], count as f64);
    }
    family
}

/// How full the bounded tables are.
fn tables(worker: &Worker) -> Family {
    let mut family = gauge("breakwater_table_ratio", &["table"]);
    let (pending, unknown, _) = worker.demands.size();
    let (most_pending, most_unknown) = worker.demands.bounds();
    let (connections, room) = worker.connections.fullest();
    let sizes = [
        ("connections", connections, room),
        ("demands", pending, most_pending),
        ("unknown", unknown, most_unknown),
        ("traces", worker.across.size().0, worker.across.bound()),
        ("services", worker.accounts.size().0, worker.max_services),
    ];
    for (table, size, bound) in sizes {
        family.push([word(table)], size as f64 / bound.max(1) as f64);
    }
    family
}

fn connections(worker: &Worker) -> Family {
    let mut family = gauge("breakwater_connections", &["side"]);
    let mut idle = 0;
    for cluster in worker.live.borrow().all() {
        for set in &cluster.ports {
            set.visit(worker, cluster, |endpoint, _| idle += endpoint.pools.idle());
        }
    }
    family.push([word("downstream")], worker.connections.count() as f64);
    family.push([word("upstream_idle")], idle as f64);
    family
}
