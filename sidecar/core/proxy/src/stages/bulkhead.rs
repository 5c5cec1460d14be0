//! Bulkhead: so many requests of this sidecar run at once towards a service, so many wait, the rest is refused.

use std::sync::Arc;
use std::time::Duration;

use policy::Reason;
use policy::deadline::Deadline;
use tokio::time::timeout;

use super::Refusal;
use crate::gate::{Entry, Permit};
use crate::live::Cluster;
use crate::name::PolicyRef;

/// A permit, at once or after a wait in line; `None` where there is no bulkhead.
pub(crate) async fn enter(
    cluster: &Cluster,
    deadline: Option<Deadline>,
    now_ns: u64,
) -> Result<Option<Permit>, Refusal> {
    let Some(gate) = &cluster.bulkhead else {
        return Ok(None);
    };
    match gate.enter() {
        Entry::Open(permit) => Ok(Some(permit)),
        Entry::Full => Err(refusal(cluster, Reason::BulkheadFull)),
        Entry::Wait(wait) => {
            let left_ns = deadline.map_or(u64::MAX, |deadline| deadline.left_ns(now_ns));
            let patience_ns = gate.queue_timeout_ns(deadline.map(|_| left_ns));
            let longest = Duration::from_nanos(patience_ns.min(left_ns));
            let waited = timeout(longest, wait).await;
            waited.map(Some).map_err(|_| match patience_ns < left_ns {
                true => refusal(cluster, Reason::BulkheadWaitTimeout),
                false => Refusal::new(Reason::TimeoutRequest),
            })
        }
    }
}

fn refusal(cluster: &Cluster, reason: Reason) -> Refusal {
    Refusal::new(reason).by(policy_of(cluster))
}

/// The policy behind a cluster's bulkhead.
pub(crate) fn policy_of(cluster: &Cluster) -> Option<Arc<PolicyRef>> {
    cluster.config.bulkhead.as_ref()?.policy.clone()
}
