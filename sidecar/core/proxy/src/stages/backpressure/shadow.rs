//! Backpressure in shadow: what would become of a request, decided on state of its own; the request goes on at once.

use policy::backpressure::Arrival;
use policy::{Criticality, Reason};

use super::refusal;
use crate::front::{Approach, Entry, Keys, Permit, Wait};
use crate::stages::Refusal;

/// The stay of one request in what stands in shadow. Dropping it gives back whatever it holds there.
#[derive(Debug)]
pub(crate) struct Shadow {
    approach: Approach,
    class: Criticality,
    since_ns: u64,
    stay: Stay,
}

#[derive(Debug)]
enum Stay {
    Runs(Permit),
    /// It would wait, or be held for so long before that.
    Waits {
        wait: Wait,
        held_for_ns: Option<u64>,
    },
}

/// Has a request enter what stands in shadow, or tells how that would refuse it.
pub(crate) fn enter(
    approach: &Approach,
    arrival: &Arrival,
    keys: impl FnOnce() -> Keys,
    now_ns: u64,
) -> Result<Shadow, Refusal> {
    let waits = |wait, held_for_ns| Stay::Waits { wait, held_for_ns };
    let front = &approach.front;
    let stay = match front.enter(arrival, now_ns) {
        Entry::Runs(mut permit) => {
            permit.hold_for(keys);
            front.counts.admit(arrival.class, 0);
            Stay::Runs(permit)
        }
        Entry::Waits(wait) => waits(wait, None),
        Entry::Held(wait, for_ns) => waits(wait, Some(for_ns)),
        Entry::Refused(reason) => {
            front.counts.shed(arrival.class, reason);
            return Err(refusal(approach, reason));
        }
    };
    Ok(Shadow {
        approach: approach.clone(),
        class: arrival.class,
        since_ns: now_ns,
        stay,
    })
}

impl Shadow {
    /// Leaves at the end of the request, for which the application took so long; how it would have been refused.
    pub(crate) fn leave(mut self, latency_ns: Option<u64>, now_ns: u64) -> Option<Refusal> {
        let counts = &self.approach.front.counts;
        let reason = match self.stay {
            Stay::Runs(permit) => {
                permit.finish(latency_ns);
                return None;
            }
            Stay::Waits {
                ref mut wait,
                held_for_ns,
            } => match wait.take() {
                Some((Ok(permit), at_ns)) => {
                    let waited_ns = at_ns.saturating_sub(self.since_ns);
                    counts.admit(self.class, waited_ns);
                    permit.finish(latency_ns);
                    return None;
                }
                Some((Err(reason), _)) => reason,
                None => overdue(wait, held_for_ns, now_ns.saturating_sub(self.since_ns))?,
            },
        };
        counts.shed(self.class, reason);
        Some(refusal(&self.approach, reason))
    }
}

/// Why one that was held all the time would have been refused; none if it would still wait.
fn overdue(wait: &mut Wait, held_for_ns: Option<u64>, stayed_ns: u64) -> Option<Reason> {
    let is_overdue = held_for_ns.is_some_and(|for_ns| stayed_ns >= for_ns);
    (is_overdue && wait.expire()).then_some(Reason::QueueBlocked)
}

#[cfg(test)]
mod tests;
