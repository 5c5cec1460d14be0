//! The deadline, and what bounds each attempt.

use std::time::Duration;

use super::{Refused, Telling};
use crate::live::Cluster;
use crate::stages::deadline;

impl Telling<'_> {
    pub(super) fn deadline(&mut self, cluster: &Cluster) -> Result<(), Refused> {
        let policy_ns = cluster.timeouts.request.map(crate::clock::nanoseconds);
        let fixed = deadline::read(self.question, None, 0)
            .and_then(|bounds| deadline::fix(bounds, policy_ns, 0));
        let policy = cluster
            .config
            .timeouts
            .as_ref()
            .and_then(|block| block.policy.clone());
        match fixed {
            Err(refusal) => self.refuse("deadline", "nothing is left of it".to_owned(), &refusal),
            Ok(None) => {
                self.pass("deadline", "none".to_owned(), None);
                Ok(())
            }
            Ok(Some(deadline)) => {
                let left = Duration::from_nanos(deadline.left_ns(0));
                let policy = policy.filter(|_| !deadline.is_callers());
                self.pass(
                    "deadline",
                    format!("{left:?} for the whole exchange"),
                    policy,
                );
                Ok(())
            }
        }
    }

    pub(super) fn timeout(&mut self, cluster: &Cluster) {
        let timeouts = &cluster.timeouts;
        let mut text = format!("{:?} to connect", timeouts.connect);
        if let Some(per_try) = timeouts.per_try {
            text.push_str(&format!(", {per_try:?} for each attempt's headers"));
        }
        let policy = cluster
            .config
            .timeouts
            .as_ref()
            .and_then(|block| block.policy.clone());
        self.pass("timeout", text, policy);
    }
}
