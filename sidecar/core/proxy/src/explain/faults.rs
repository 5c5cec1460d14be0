//! What rehearsals would do.

use std::sync::Arc;

use super::{Refused, Telling, governed};
use crate::live::Cluster;

impl Telling<'_> {
    /// All of them; one that refuses every request is a refusal.
    pub(super) fn faults(&mut self, cluster: &Cluster, leads_on: bool) -> Result<(), Refused> {
        let at = self.worker.moment(self.worker.clock.now_ns());
        let rule = self.rule.clone();
        let governed = governed(self.question, rule.as_ref(), leads_on);
        for (fault, effects) in cluster.faults.met(governed, at) {
            let text = fault.tell(effects, at);
            let refusal = fault.refusal(effects).filter(|_| fault.is_for_all());
            match refusal {
                Some(refusal) => return self.refuse("fault", text, &refusal),
                None => self.pass("fault", text, Some(Arc::clone(&fault.rules.policy))),
            }
        }
        Ok(())
    }
}
