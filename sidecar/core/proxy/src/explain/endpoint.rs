//! The endpoint: how many there are to pick from, and who is left out.

use policy::balancer::Algorithm;
use policy::readiness::Member;
use policy::{Criticality, Reason};

use super::{Refused, Telling};
use crate::live::Cluster;
use crate::stages::endpoint::Affinity;
use crate::stages::{Refusal, endpoint};

impl Telling<'_> {
    pub(super) fn endpoint(&mut self, cluster: &Cluster) -> Result<(), Refused> {
        let now_ns = self.worker.clock.now_ns();
        let affinity = Affinity::of(&cluster.config, self.question, Criticality::default);
        let (mut ready, mut all, mut outliers) = (0, 0, String::new());
        for set in &cluster.ports {
            set.visit(self.worker, cluster, |endpoint, is_ready| {
                all += 1;
                if let Some(cause) = endpoint.record.cause(now_ns).filter(|_| !is_ready) {
                    let cause = cause.as_str();
                    outliers.push_str(&format!("; {} is ejected: {cause}", endpoint.instance));
                }
                if endpoint.is_unhealthy() {
                    outliers.push_str(&format!("; {} is unhealthy", endpoint.instance));
                }
                if let Some(state) = endpoint.barred_by().filter(|_| !is_ready) {
                    let (instance, state) = (&endpoint.instance, state.as_str());
                    outliers.push_str(&format!("; the breaker of {instance} is {state}"));
                }
            });
            ready += set.ready_for(&affinity);
        }
        let group = match affinity.group_name(&cluster.config) {
            Some(name) => format!(" for group {name}"),
            None => String::new(),
        };
        let balancing = cluster.config.balancing.as_ref();
        let algorithm = balancing.map_or(Algorithm::default(), |block| block.params.algorithm);
        let algorithm = algorithm.as_str();
        let text = format!("{algorithm} over {ready} of {all} endpoints{group}{outliers}");
        if ready == 0 {
            let none = Reason::UpstreamNoEndpoints;
            let refusal = match cluster.ports.first() {
                Some(set) => set.refusal(cluster, none),
                None => Refusal::new(none),
            };
            return self.refuse("endpoint", text, &refusal);
        }
        self.pass("endpoint", text, endpoint::policy_of(&cluster.config));
        Ok(())
    }
}
