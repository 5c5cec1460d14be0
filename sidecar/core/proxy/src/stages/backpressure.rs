//! Backpressure: how many requests the application gets at once, who waits for it, and who is turned away.

pub(crate) mod shadow;

use std::sync::Arc;

use http1::Known;
use policy::backpressure::Arrival;
use policy::deadline::Deadline;
use policy::{Percent, Reason};
use tokio::time::timeout_at;

use super::rate_limit::subject;
use super::{Refusal, criticality};
use crate::clock::Clock;
use crate::config::Backpressure;
use crate::front::{Approach, Entry, Front, Permit, Wait};
use crate::name::PolicyRef;
use crate::request::{Edit, Request};
use crate::trace::Key;
use crate::worker::Worker;

/// What of a body is read ahead of its turn, at most.
const READ_AHEAD_BYTES: u64 = 65_536;

/// A permit, at once or after a wait; whether there was one.
pub(crate) async fn enter(
    worker: &Worker,
    approach: &Approach,
    arrival: &Arrival,
    deadline: Option<Deadline>,
    now_ns: u64,
) -> Result<(Permit, bool), Refusal> {
    let front = &approach.front;
    let outcome = match front.enter(arrival, now_ns) {
        Entry::Runs(permit) => Ok((permit, false)),
        Entry::Waits(wait) => wait_for(&worker.clock, wait, deadline).await,
        Entry::Held(wait, for_ns) => {
            held_for(&worker.clock, wait, deadline, now_ns.saturating_add(for_ns)).await
        }
        Entry::Refused(reason) => Err(reason),
    };
    match outcome {
        Ok((permit, has_waited)) => {
            let waited_ns = if has_waited {
                worker.clock.now_ns().saturating_sub(now_ns)
            } else {
                0
            };
            front.counts.admit(arrival.class, waited_ns);
            Ok((permit, has_waited))
        }
        Err(reason) => {
            front.counts.shed(arrival.class, reason);
            Err(refusal(approach, reason))
        }
    }
}

/// Waits until it is told what becomes of it, or out of time.
async fn wait_for(
    clock: &Clock,
    wait: Wait,
    deadline: Option<Deadline>,
) -> Result<(Permit, bool), Reason> {
    let told = match deadline {
        None => wait.await,
        Some(deadline) => {
            let by = clock.instant(deadline.at_ns());
            timeout_at(by, wait)
                .await
                .unwrap_or(Err(Reason::DeadlineExhausted))
        }
    };
    told.map(|permit| (permit, true))
}

/// The same, held in front of a full queue until `until_ns`.
async fn held_for(
    clock: &Clock,
    mut wait: Wait,
    deadline: Option<Deadline>,
    until_ns: u64,
) -> Result<(Permit, bool), Reason> {
    let by_ns = deadline.map_or(until_ns, |deadline| until_ns.min(deadline.at_ns()));
    match timeout_at(clock.instant(by_ns), &mut wait).await {
        Ok(told) => told.map(|permit| (permit, true)),
        Err(_) if by_ns == until_ns && wait.expire() => Err(Reason::QueueBlocked),
        Err(_) => wait_for(clock, wait, deadline).await,
    }
}

/// A request as what stands in front of the application sees it.
pub(crate) fn arrival(
    worker: &Worker,
    approach: &Approach,
    request: &dyn Request,
    deadline: Option<Deadline>,
) -> Arrival {
    let rules = &approach.rules;
    let hasher = &worker.across.hasher;
    Arrival {
        class: criticality::of(&rules.classes, request),
        flow: subject::flow(&rules.fairness, request, hasher),
        bytes: request.head_bytes() + body_bytes(request),
        deadline_ns: deadline.map(|deadline| deadline.at_ns()),
        holds_permit: approach.front.is_held_by(Key::of_call(request, hasher)),
    }
}

/// What a request's body takes while it waits.
fn body_bytes(request: &dyn Request) -> u64 {
    let length = request.known(Known::ContentLength);
    let length = length.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    length.map_or(0, |length: u64| length.min(READ_AHEAD_BYTES))
}

/// A refusal under the policy behind it.
pub(crate) fn refusal(approach: &Approach, reason: Reason) -> Refusal {
    Refusal::new(reason).by(policy_of(&approach.rules, reason))
}

fn policy_of(rules: &Backpressure, reason: Reason) -> Option<Arc<PolicyRef>> {
    match reason {
        Reason::ShedConcurrency => rules.concurrency_policy.clone(),
        Reason::DeadlineExhausted => None,
        _ => rules.queue_policy.clone(),
    }
}

/// Tells callers which share is admitted, if it is not all.
pub(crate) fn tell_rate(front: &Front, now_ns: u64, edit: &mut dyn Edit) {
    if let Some(rate) = front.admit_rate(now_ns) {
        edit.set(Known::BreakwaterAdmitRate, fraction(rate).as_bytes());
    }
}

/// A share as a fraction of one.
fn fraction(share: Percent) -> String {
    format!("{}", f64::from(share.millionths()) / 1e6)
}

#[cfg(test)]
mod tests;
