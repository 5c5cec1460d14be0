//! Reports to the control plane what the sidecar saw and did, at the pace that it asks for.

use std::time::{Duration, SystemTime};

use proxy::{Ended, Handle};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status as Answer;

use crate::connection::Connection;
use crate::encode;
use crate::events::Events;
use crate::mesh::telemetry_service_client::TelemetryServiceClient;
use crate::mesh::{ReportRequest, ReportResponse};
use crate::metrics::Metrics;
use crate::process;
use crate::status::Status;

/// Pace when the control plane names none, and the bounds of what it may name.
const PACE: Duration = Duration::from_secs(2);
const FASTEST: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(60);

/// What reports are made of.
#[derive(Debug)]
pub(crate) struct Reporter {
    pub(crate) instance: String,
    /// Start of all counters.
    pub(crate) epoch: SystemTime,
    pub(crate) proxy: Handle,
    pub(crate) metrics: Metrics,
    pub(crate) events: Events,
    pub(crate) status: Status,
}

impl Reporter {
    /// Reports until the stream ends.
    pub(crate) async fn run(&self, connection: Connection) -> Answer {
        let (reports, outgoing) = mpsc::channel(1);
        let Ok(first) = self.report().await else {
            return worker_ended();
        };
        let _ = reports.send(first).await;
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
            self.events.confirm();
            let pace = pace(&response);
            if self.take_shares(response).await.is_err() {
                return worker_ended();
            }
            sleep(pace).await;
            let Ok(report) = self.report().await else {
                return worker_ended();
            };
            let _ = reports.send(report).await; // a stream that ended says so above
        }
    }

    async fn report(&self) -> Result<ReportRequest, Ended> {
        let stats = self.proxy.stats().await?;
        let families = self.metrics.join(stats.families);
        Ok(ReportRequest {
            instance: self.instance.clone(),
            epoch: Some(encode::timestamp(self.epoch)),
            families: families.iter().map(encode::family).collect(),
            breakers: self
                .proxy
                .breakers()
                .await?
                .iter()
                .map(encode::breaker)
                .collect(),
            limits: self
                .proxy
                .limits()
                .await?
                .iter()
                .map(encode::limit)
                .collect(),
            events: self.events.unconfirmed(),
            called: stats.called.iter().map(encode::service).collect(),
            resident_bytes: process::resident_bytes(),
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
