//! Bulkhead: so many requests of this sidecar run at once towards a service, so many wait, the rest is refused.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use policy::deadline::Deadline;
use policy::{Criticality, Reason};
use tokio::time::timeout;

use super::Refusal;
use crate::gate::{Entry, Gate, Permit};
use crate::live::Cluster;
use crate::name::PolicyRef;

/// A permit, at once or after a wait in line; whether there was one.
pub(crate) async fn enter(
    gate: &Rc<Gate>,
    cluster: &Cluster,
    class: Criticality,
    deadline: Option<Deadline>,
    now_ns: u64,
) -> Result<(Permit, bool), Refusal> {
    match gate.enter(class) {
        Entry::Open(permit) => Ok((permit, false)),
        Entry::Full => Err(refusal(cluster, Reason::BulkheadFull)),
        Entry::Wait(wait) => {
            let left_ns = deadline.map_or(u64::MAX, |deadline| deadline.left_ns(now_ns));
            let patience_ns = gate.queue_timeout_ns(deadline.map(|_| left_ns));
            let longest = Duration::from_nanos(patience_ns.min(left_ns));
            match timeout(longest, wait).await {
                Ok(permit) => Ok((permit, true)),
                Err(_) if patience_ns < left_ns => {
                    Err(refusal(cluster, Reason::BulkheadWaitTimeout))
                }
                Err(_) => Err(Refusal::new(Reason::TimeoutRequest)),
            }
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
