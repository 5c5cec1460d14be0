//! What counts as counted.

use prost_types::Timestamp;

use super::*;
use crate::mesh::MetricPoint;

fn report(seconds: i64) -> ReportRequest {
    let family = |name: &str, kind: MetricType| MetricFamily {
        name: name.to_owned(),
        r#type: kind.into(),
        points: vec![MetricPoint {
            value: seconds as f64,
            ..MetricPoint::default()
        }],
        ..MetricFamily::default()
    };
    ReportRequest {
        at: Some(Timestamp { seconds, nanos: 0 }),
        families: vec![
            family("requests", MetricType::Counter),
            family("in_flight", MetricType::Gauge),
            family("durations", MetricType::Histogram),
        ],
        ..ReportRequest::default()
    }
}

fn seconds(record: &Record) -> Option<i64> {
    record.counted()?.at.map(|at| at.seconds)
}

#[test]
fn nothing_is_counted_before_an_answer() {
    let mut record = Record::default();
    record.sent(&report(1));
    assert_eq!((record.has_counted(), record.counted()), (false, None));
}

#[test]
fn what_was_answered_is_counted_as_far_as_it_only_grows() {
    let mut record = Record::default();
    record.sent(&report(1));
    record.answered();
    let counted = record.counted().unwrap();
    assert_eq!(counted.at, report(1).at);
    let names = counted.families.iter().map(|one| one.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["requests", "durations"]);
}

#[test]
fn what_is_on_its_way_is_not_counted() {
    let mut record = Record::default();
    record.sent(&report(1));
    record.answered();
    record.sent(&report(2));
    assert_eq!(seconds(&record), Some(1));
    record.sent(&report(3));
    record.answered();
    assert_eq!(seconds(&record), Some(3));
}

#[test]
fn an_answer_to_nothing_counts_nothing() {
    let mut record = Record::default();
    record.answered();
    assert!(!record.has_counted());
}
