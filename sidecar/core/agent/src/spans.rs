//! Spans of the worker, handed to the control plane in batches: it knows where traces are kept.
//!
//! A batch that was not answered is handed over again. What ends meanwhile waits in a bounded channel, and the worker counts
//! what finds no room there.

mod describe;

use std::collections::BTreeMap;
use std::time::Duration;

use proxy::{Ended, report};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tonic::Status as Answer;

use crate::connection::Connection;
use crate::encode;
use crate::mesh::telemetry_service_client::TelemetryServiceClient;
use crate::mesh::{ExportSpansRequest, WorkloadSpans};

/// Spans in one batch at most.
const MOST: usize = 512;

/// Time in which a batch fills after its first span.
const FILLS: Duration = Duration::from_millis(500);

/// Time for the answer to a batch.
const PATIENCE: Duration = Duration::from_secs(5);

/// Hands spans over, and keeps the batch on its way.
#[derive(Debug)]
pub(crate) struct Exporter {
    instance: String,
    told: mpsc::Receiver<report::Span>,
    batch: Vec<report::Span>,
}

impl Exporter {
    pub(crate) const fn new(instance: String, told: mpsc::Receiver<report::Span>) -> Self {
        Self {
            instance,
            told,
            batch: Vec::new(),
        }
    }

    /// Hands over what there is, until that fails.
    pub(crate) async fn run(&mut self, connection: Connection) -> Answer {
        let mut client = TelemetryServiceClient::new(connection);
        loop {
            if self.batch.is_empty() && !self.fill().await {
                return Answer::aborted(Ended.to_string());
            }
            let request = request(&self.instance, &self.batch);
            match timeout(PATIENCE, client.export_spans(request)).await {
                Ok(Ok(_)) => self.batch = Vec::new(),
                Ok(Err(status)) => return status,
                Err(_) => return Answer::deadline_exceeded("spans were not taken"),
            }
        }
    }

    /// Waits for spans, and a moment for more; whether there are any, which ends with the worker.
    async fn fill(&mut self) -> bool {
        if self.told.recv_many(&mut self.batch, MOST).await == 0 {
            return false;
        }
        if self.batch.len() < MOST {
            sleep(FILLS).await;
        }
        while self.batch.len() < MOST
            && let Ok(span) = self.told.try_recv()
        {
            self.batch.push(span);
        }
        true
    }
}

/// A batch, by whose spans they are.
fn request(instance: &str, batch: &[report::Span]) -> ExportSpansRequest {
    let mut workloads = BTreeMap::<_, WorkloadSpans>::new();
    for span in batch {
        let of_workload = workloads
            .entry(&span.workload)
            .or_insert_with(|| WorkloadSpans {
                service: span.workload.as_ref().map(encode::service),
                spans: Vec::new(),
            });
        of_workload.spans.push(describe::span(span));
    }
    ExportSpansRequest {
        instance: instance.to_owned(),
        workloads: workloads.into_values().collect(),
    }
}

#[cfg(test)]
mod tests;
