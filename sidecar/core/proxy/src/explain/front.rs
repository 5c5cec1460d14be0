//! What stands in front of the application, and what would if the policies in shadow acted too.

use policy::backpressure::Entry;

use super::{Refused, Telling};
use crate::front::Approach;
use crate::live::Cluster;
use crate::stages::backpressure;

impl Telling<'_> {
    /// What would stand in front of the application if the policies in shadow acted too.
    pub(super) fn shadow(&mut self, cluster: &Cluster) {
        let entrance = self.entrance.clone();
        let front = match &entrance {
            Some(entrance) => &entrance.shadow,
            None => &cluster.shadow,
        };
        let Some(front) = front else { return };
        let (mut text, verdict) = self.foresee(front);
        if let Entry::Refused(reason) = verdict {
            text.push_str(&format!(
                "; would be refused, {}, were it not in shadow",
                reason.as_str()
            ));
        }
        self.pass("backpressure in shadow", text, front.rules.policy());
    }

    pub(super) fn backpressure(&mut self, cluster: &Cluster) -> Result<(), Refused> {
        let entrance = self.entrance.clone();
        let front = match &entrance {
            Some(entrance) => &entrance.front,
            None => &cluster.front,
        };
        let Some(front) = front else {
            return Ok(());
        };
        let (text, verdict) = self.foresee(front);
        if let Entry::Refused(reason) = verdict {
            return self.refuse("backpressure", text, &backpressure::refusal(front, reason));
        }
        self.pass("backpressure", text, front.rules.policy());
        Ok(())
    }

    /// What stands in front of the application, in words, and what would become of the request there.
    fn foresee(&self, approach: &Approach) -> (String, Entry) {
        let now_ns = self.worker.clock.now_ns();
        let arrival = backpressure::arrival(self.worker, approach, self.question, None);
        let class = arrival.class.as_str();
        let text = approach.front.look(|machine| {
            format!(
                "{} of {} running, {} of {} waiting; it is {class}",
                machine.in_flight(),
                machine.limit(),
                machine.depth(),
                machine.capacity(),
            )
        });
        (text, approach.front.foresee(&arrival, now_ns))
    }
}
