//! `grpc.health.v1` on the socket: in all, whether the workload may be sent traffic; by name, that the service answers.

use tokio::sync::watch;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::{HealthReporter, health_reporter};

use crate::status::State;

/// Names the sidecar in all.
const OVERALL: &str = "";

/// The service, and the work that keeps its answers true; `served` names what is served beside it.
pub(crate) fn service(
    served: &'static str,
    state: watch::Receiver<State>,
) -> (HealthServer<impl Health>, impl Future<Output = ()>) {
    let (reporter, server) = health_reporter();
    (server, follow(reporter, served, state))
}

/// Tells how the sidecar is, for as long as there is one.
async fn follow(reporter: HealthReporter, served: &str, mut state: watch::Receiver<State>) {
    reporter
        .set_service_status(served, ServingStatus::Serving)
        .await;
    loop {
        let overall = if state.borrow_and_update().is_ready() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        reporter.set_service_status(OVERALL, overall).await;
        if state.changed().await.is_err() {
            return;
        }
    }
}
