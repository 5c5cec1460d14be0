//! The pool of connections to a service: whether a call that needs another one gets it at once.

use policy::Reason;

use super::{Refused, Telling};
use crate::live::Cluster;
use crate::stages::Refusal;

impl Telling<'_> {
    /// A call waits in line for as long as connecting may take; where the line is full it is refused.
    pub(super) fn connections(&mut self, cluster: &Cluster) -> Result<(), Refused> {
        let Some(gate) = &cluster.connections else {
            return Ok(());
        };
        let (used, most, waiting, line) = gate.look(|gate| {
            let params = gate.params();
            let (used, waiting) = (gate.in_flight(), gate.waiting());
            (used, params.max_concurrent, waiting, gate.queue_capacity())
        });
        let mut text = format!("{used} of {most} in use, {waiting} waiting for one");
        if used >= most {
            let connect = cluster.timeouts.connect;
            text.push_str(&format!("; who needs another waits at most {connect:?}"));
        }
        let pool = cluster.config.pool.as_ref();
        let policy = pool.and_then(|block| block.policy.clone());
        if used >= most && waiting >= line {
            let refusal = Refusal::new(Reason::BulkheadConnections).by(policy);
            return self.refuse("connections", text, &refusal);
        }
        self.pass("connections", text, policy);
        Ok(())
    }
}
