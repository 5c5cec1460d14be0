//! Measurements of the agent itself, and the page that shows all of them.

mod page;

use std::borrow::Cow;

use proxy::report::{Family, MetricKind, Point};

use crate::log::Log;
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

    fn own(&self) -> [Family; 6] {
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
            Family {
                labels: &["state"],
                points: vec![
                    point("applied", state.applied.len()),
                    point("lapsed", state.lapsed.len()),
                ],
                ..single("breakwater_config_resources", MetricKind::Gauge, 0.0)
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

fn point(label: &'static str, count: usize) -> Point {
    Point {
        labels: vec![Cow::Borrowed(label)],
        value: count as f64,
        buckets: Vec::new(),
    }
}
