//! Reports to the control plane what the sidecar saw and did, at the pace that it asks for.
//!
//! Whoever answers a report has counted it. A stream begins with what was counted last, so that another control plane
//! goes on from there, and every increase enters the totals of exactly one. What is unanswered when a stream ends is
//! told again, so a stream that is left in good order is left between an answer and the next report.

use std::time::{Duration, Instant, SystemTime};

use proxy::{Ended, Handle};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status as Answer;

use crate::chance;
use crate::connection::Connection;
use crate::encode;
use crate::events::Events;
use crate::mesh::telemetry_service_client::TelemetryServiceClient;
use crate::mesh::{ReportRequest, ReportResponse};
use crate::metrics::Metrics;
use crate::process;
use crate::record::Record;
use crate::shared_health;
use crate::status::Status;

/// Pace when the control plane names none, and the bounds of what it may name.
const PACE: Duration = Duration::from_secs(2);
const FASTEST: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(60);

/// Paces without an answer after which nothing that others found is believed any more.
const HOLDS_PACES: u32 = 5;

/// What reports are made of.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) instance: String,
    pub(crate) proxy: Handle,
    pub(crate) metrics: Metrics,
    pub(crate) events: Events,
    pub(crate) status: Status,
}

/// Reports, and remembers what was counted.
#[derive(Debug)]
pub(crate) struct Reporter {
    sources: Sources,
    /// Start of all counters, on both clocks.
    epoch: SystemTime,
    began: Instant,
    record: Record,
    pace: Duration,
    is_settled: watch::Sender<bool>,
}

impl Reporter {
    /// Begins a new epoch.
    pub(crate) fn new(sources: Sources) -> Self {
        Self {
            sources,
            epoch: SystemTime::now(),
            began: Instant::now(),
            record: Record::default(),
            pace: PACE,
            is_settled: watch::Sender::new(true),
        }
    }

    /// Whether no report is on its way.
    pub(crate) fn settled(&self) -> watch::Receiver<bool> {
        self.is_settled.subscribe()
    }

    /// Reports until the stream ends.
    pub(crate) async fn run(&mut self, connection: Connection) -> Answer {
        self.spread().await;
        let ended = self.report_to(connection).await;
        self.is_settled.send_replace(true); // nobody will answer what was on its way
        ended
    }

    async fn report_to(&mut self, connection: Connection) -> Answer {
        let (reports, outgoing) = mpsc::channel(1);
        let Ok(mut first) = self.report().await else {
            return worker_ended();
        };
        first.baseline = self.record.counted();
        self.send(first, &reports).await;
        let mut responses = match TelemetryServiceClient::new(connection)
            .report(ReceiverStream::new(outgoing))
            .await
        {
            Ok(response) => response.into_inner(),
            Err(status) => return status,
        };
        loop {
            let response = match responses.message().await {
                Ok(Some(response)) => response,
                Ok(None) => return Answer::unavailable("the control plane ended the stream"),
                Err(status) => return status,
            };
            if self.answered(response).await.is_err() {
                return worker_ended();
            }
            sleep(self.pace).await;
            let Ok(report) = self.report().await else {
                return worker_ended();
            };
            self.send(report, &reports).await;
        }
    }

    /// Rests for a part of the pace, so that a fleet which moved does not report all at once; a sidecar that nobody
    /// has heard of yet does not wait.
    async fn spread(&self) {
        if self.record.has_counted() {
            sleep(self.pace.mul_f64(chance::draw())).await;
        }
    }

    async fn send(&mut self, report: ReportRequest, reports: &mpsc::Sender<ReportRequest>) {
        self.record.sent(&report);
        self.is_settled.send_replace(false);
        let _ = reports.send(report).await; // a stream that ended says so itself
    }

    async fn answered(&mut self, response: ReportResponse) -> Result<(), Ended> {
        self.record.answered();
        self.is_settled.send_replace(true);
        self.sources.events.confirm();
        self.pace = pace(&response);
        let others = shared_health::decode(&response.health);
        let holds = HOLDS_PACES * self.pace.max(PACE);
        self.sources.proxy.share_health(others, holds).await?;
        self.sources.take_shares(response).await
    }

    async fn report(&self) -> Result<ReportRequest, Ended> {
        let at = self.epoch + self.began.elapsed();
        Ok(ReportRequest {
            epoch: Some(encode::timestamp(self.epoch)),
            at: Some(encode::timestamp(at)),
            ..self.sources.read().await?
        })
    }
}

impl Sources {
    /// Everything that a report says, but for when.
    async fn read(&self) -> Result<ReportRequest, Ended> {
        let stats = self.proxy.stats().await?;
        let checked = self.proxy.health().await?;
        let families = self.metrics.join(stats.families);
        Ok(ReportRequest {
            instance: self.instance.clone(),
            families: families.iter().map(encode::family).collect(),
            events: self.events.unconfirmed(),
            called: stats.called.iter().map(encode::service).collect(),
            resident_bytes: process::resident_bytes(),
            checked: checked.iter().map(shared_health::encode).collect(),
            checker: policy::health_check::checker(&self.instance),
            ..ReportRequest::default()
        })
    }

    /// Divides the floors of retry budgets as told, and remembers it for the next start.
    async fn take_shares(&self, response: ReportResponse) -> Result<(), Ended> {
        let callers = encode::decode_callers(response.callers);
        if callers == self.status.borrow().callers {
            return Ok(());
        }
        self.proxy.set_live_callers(callers.clone()).await?;
        self.status.send_modify(|state| state.callers = callers);
        Ok(())
    }
}

fn pace(response: &ReportResponse) -> Duration {
    let told = response
        .interval
        .and_then(|interval| Duration::try_from(interval).ok());
    told.filter(|interval| !interval.is_zero())
        .unwrap_or(PACE)
        .clamp(FASTEST, SLOWEST)
}

fn worker_ended() -> Answer {
    Answer::aborted(Ended.to_string())
}
