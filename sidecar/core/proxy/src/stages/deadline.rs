//! Deadline: the one instant by which all is done, fixed when the request's headers are complete.

use http1::Known;
use policy::deadline::{
    Bounds, Deadline, Exhausted, GrpcTimeout, parse_deadline_ms, parse_grpc_timeout,
};

use super::Refusal;
use crate::request::{Edit, Request};

/// What came with the request; what came with nothing left is refused before any work.
///
/// `inherited_ns` is what is left of the inbound request that this call serves; `elapsed_ns` went by since it came.
pub(crate) fn read(
    request: &dyn Request,
    inherited_ns: Option<u64>,
    elapsed_ns: u64,
) -> Result<Bounds, Refusal> {
    let left_ns = |came_ns: u64| came_ns.saturating_sub(elapsed_ns);
    let carried_ns = request
        .known(Known::BreakwaterDeadlineMs)
        .and_then(parse_deadline_ms)
        .map(left_ns);
    let bounds = Bounds {
        policy_ns: None,
        carried_ns: carried_ns.into_iter().chain(inherited_ns).min(),
        grpc_ns: request
            .known(Known::GrpcTimeout)
            .and_then(parse_grpc_timeout)
            .map(left_ns),
    };
    fix(bounds, None, 0).map(|_| bounds)
}

/// The soonest of what came and the policy's own timeout, counted from `now_ns`.
pub(crate) fn fix(
    bounds: Bounds,
    policy_ns: Option<u64>,
    now_ns: u64,
) -> Result<Option<Deadline>, Refusal> {
    let bounds = Bounds {
        policy_ns,
        ..bounds
    };
    Deadline::fix(&bounds, now_ns).map_err(|Exhausted| Refusal::new(Exhausted::REASON))
}

/// What is left of `bounds` before any policy is known.
pub(crate) fn left_ns(bounds: &Bounds) -> Option<u64> {
    bounds.carried_ns.into_iter().chain(bounds.grpc_ns).min()
}

/// Hands on what remains: in the mesh's own field, and in a `grpc-timeout` that is there already.
pub(crate) fn hand_on(
    deadline: Option<Deadline>,
    request: &dyn Request,
    now_ns: u64,
    edit: &mut dyn Edit,
) {
    let Some(deadline) = deadline else { return };
    let mut digits = itoa::Buffer::new();
    let left_ms = digits.format(deadline.handed_on_ms(now_ns));
    edit.add(Known::BreakwaterDeadlineMs.as_str(), left_ms.as_bytes());
    if request.known(Known::GrpcTimeout).is_some() {
        let left = GrpcTimeout::from_ns(deadline.handed_on_ns(now_ns));
        edit.set(Known::GrpcTimeout, left.to_string().as_bytes());
    }
}

#[cfg(test)]
mod tests;
