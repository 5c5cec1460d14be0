//! The streams beside discovery's: reports at the pace that is asked for, and commands that never come.

use std::{io, time::Duration};

use prost_types::Timestamp;
use tokio::{select, time::sleep};

use crate::mesh::{
    Command, CommandResult, MetricFamily, MetricPoint, MetricType, ReportRequest, ReportResponse,
};
use crate::sidecar::Sidecar;
use crate::tally::Tally;
use crate::wire::Connection;

/// What a report of a small sidecar holds: families, series of each, and buckets of a histogram.
const FAMILIES: u64 = 20;
const SERIES: u64 = 5;
const BUCKETS: u64 = 20;
/// The families of which is kept how they grew lately; the first is a histogram, as every tenth is.
const RATED: [&str; 3] = [
    "breakwater_request_duration_seconds",
    "breakwater_requests_total",
    "breakwater_attempts_total",
];
/// Since when they count, in Unix seconds: for long, as in a fleet that comes back.
const EPOCH: i64 = 1_700_000_000;

pub async fn run(sidecar: &Sidecar, connection: &Connection, tally: &Tally) -> io::Error {
    let ended = select! {
        ended = report(sidecar, connection, tally) => ended,
        ended = attach(sidecar, connection) => ended,
    };
    match ended {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn report(
    sidecar: &Sidecar,
    connection: &Connection,
    tally: &Tally,
) -> io::Result<std::convert::Infallible> {
    let mut call = connection.call("/mesh.v1.TelemetryService/Report").await?;
    for number in 1.. {
        call.send(&request(sidecar, number))?;
        let answer: ReportResponse = call.next().await?;
        tally.report();
        let interval = answer
            .interval
            .and_then(|each| Duration::try_from(each).ok());
        sleep(interval.unwrap_or(Duration::from_secs(2))).await;
    }
    Err(io::Error::other("there are no more numbers"))
}

async fn attach(
    sidecar: &Sidecar,
    connection: &Connection,
) -> io::Result<std::convert::Infallible> {
    let mut call = connection.call("/mesh.v1.CommandService/Attach").await?;
    call.send(&CommandResult {
        instance: sidecar.instance.clone(),
        ..CommandResult::default()
    })?;
    loop {
        let _: Command = call.next().await?;
    }
}

/// The `number`th report: every counter has grown since the one before.
fn request(sidecar: &Sidecar, number: u64) -> ReportRequest {
    ReportRequest {
        instance: sidecar.instance.clone(),
        epoch: Some(Timestamp {
            seconds: EPOCH,
            nanos: 0,
        }),
        families: (0..FAMILIES)
            .map(|family| counters(family, number))
            .collect(),
        called: vec![sidecar.service.clone()],
        resident_bytes: 12 << 20,
        ..ReportRequest::default()
    }
}

fn counters(family: u64, number: u64) -> MetricFamily {
    let is_histogram = family.is_multiple_of(10);
    let buckets = if is_histogram { BUCKETS } else { 0 };
    let kind = if is_histogram {
        MetricType::Histogram
    } else {
        MetricType::Counter
    };
    MetricFamily {
        name: RATED.get(family as usize).map_or_else(
            || format!("breakwater_bench_{family}_total"),
            |&name| name.to_owned(),
        ),
        r#type: kind.into(),
        labels: vec!["service".to_owned(), "code_class".to_owned()],
        bounds: (1..buckets).map(|bound| bound as f64).collect(),
        points: (0..SERIES)
            .map(|series| point(series, number, buckets))
            .collect(),
    }
}

fn point(series: u64, number: u64, buckets: u64) -> MetricPoint {
    MetricPoint {
        labels: vec![format!("shop/service-{series}"), "2xx".to_owned()],
        value: number as f64,
        buckets: vec![number; buckets as usize],
    }
}
