//! Measurements of the agent itself, and the page that shows all of them.

mod page;

use std::borrow::Cow;

use proxy::ServiceName;
use proxy::report::{Family, MetricKind, Point};

use crate::log::Log;
use crate::names::{Counts, Failure, HostStatus};
use crate::process;
use crate::status::Status;

pub(crate) use page::encode;

/// What measures the agent.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) status: Status,
    pub(crate) log: Log,
}

impl Metrics {
    /// `families` of the worker together with the agent's own, sorted by name.
    pub(crate) fn join(&self, mut families: Vec<Family>) -> Vec<Family> {
        families.extend(self.own());
        families.sort_by_key(|family| family.name);
        families
    }

    fn own(&self) -> [Family; 9] {
        let state = self.status.borrow();
        [
            single(
                "breakwater_config_age_seconds",
                MetricKind::Gauge,
                state.age_seconds(),
            ),
            single(
                "breakwater_config_stale",
                MetricKind::Gauge,
                f64::from(u8::from(!state.is_connected)),
            ),
            single(
                "breakwater_config_rejected_resources",
                MetricKind::Gauge,
                state.rejections.len() as f64,
            ),
            single(
                "breakwater_config_unenforced",
                MetricKind::Gauge,
                f64::from(u8::from(state.is_unenforced)),
            ),
            Family {
                labels: &["state"],
                points: vec![
                    point("applied", state.applied.len()),
                    point("lapsed", state.lapsed.len()),
                ],
                ..single("breakwater_config_resources", MetricKind::Gauge, 0.0)
            },
            Family {
                labels: &["result"],
                points: lookups(state.lookups),
                ..single("breakwater_dns_lookups_total", MetricKind::Counter, 0.0)
            },
            Family {
                labels: &["state"],
                points: hosts(&state.hosts),
                ..single("breakwater_dns_hosts", MetricKind::Gauge, 0.0)
            },
            single(
                "breakwater_log_dropped_lines_total",
                MetricKind::Counter,
                self.log.dropped() as f64,
            ),
            single(
                "breakwater_process_resident_bytes",
                MetricKind::Gauge,
                process::resident_bytes() as f64,
            ),
        ]
    }
}

/// What became of asking the application for what it measures.
pub(crate) fn of_scrape(is_up: bool, dropped: usize) -> [Family; 2] {
    [
        single(
            "breakwater_application_scrape_dropped_lines",
            MetricKind::Gauge,
            dropped as f64,
        ),
        single(
            "breakwater_application_scrape_up",
            MetricKind::Gauge,
            f64::from(u8::from(is_up)),
        ),
    ]
}

fn single(name: &'static str, kind: MetricKind, value: f64) -> Family {
    let point = Point {
        labels: Vec::new(),
        value,
        buckets: Vec::new(),
    };
    Family {
        name,
        kind,
        labels: &[],
        bounds: &[],
        points: vec![point],
    }
}

/// Lookups of host names by what became of them.
fn lookups(counts: Counts) -> Vec<Point> {
    let failed = Failure::ALL.map(|failure| (failure.as_str(), counts.failed[failure as usize]));
    let all = std::iter::once(("answered", counts.answered)).chain(failed);
    all.map(|(result, count)| point(result, count as usize))
        .collect()
}

/// Host names by what is known of them.
fn hosts(hosts: &[(ServiceName, HostStatus)]) -> Vec<Point> {
    let count = |state| {
        let states = hosts.iter().map(|(_, status)| status.state());
        point(state, states.filter(|found| *found == state).count())
    };
    HostStatus::STATES.map(count).to_vec()
}

fn point(label: &'static str, count: usize) -> Point {
    Point {
        labels: vec![Cow::Borrowed(label)],
        value: count as f64,
        buckets: Vec::new(),
    }
}
