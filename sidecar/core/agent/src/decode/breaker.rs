//! Figures of one breaker.

use policy::breaker::{HalfOpen, OpenTime, Params, Trial, Trip, Window};
use policy::condition::Conditions;
use policy::ending::default_failures;
use proxy::config::{Breaker, Cluster};

use super::Fault;
use super::read::{
    Under, enumeration, multiplier, nanoseconds, optional_nanoseconds, percent, positive, required,
};
use super::resilience::conditions;
use crate::mesh;

pub(super) fn decode(wire: mesh::BreakerRules) -> Result<Breaker, Fault> {
    let overload_open_ns = overload_open_ns(&wire)?;
    let counted = required("window", wire.window)?;
    let failures = match wire.failure_on.as_slice() {
        [] => default_failures(),
        words => conditions("failureOn", words)?,
    };
    let key: mesh::BreakerKey = enumeration("key", wire.key)?;
    Ok(Breaker {
        failures,
        is_per_route: key == mesh::BreakerKey::Route,
        params: Params {
            minimum_requests: counted.minimum_requests,
            window: window(counted).under("window")?,
            trip: trip(required("trip", wire.trip)?).under("trip")?,
            reset_timeout_ns: nanoseconds("resetTimeout", wire.reset_timeout)?,
            open: open(required("open", wire.open)?).under("open")?,
            half_open: half_open(required("halfOpen", wire.half_open)?).under("halfOpen")?,
            overload_open_ns,
        },
    })
}

/// How long peers' refusals for load open it, if they count.
fn overload_open_ns(wire: &mesh::BreakerRules) -> Result<Option<u64>, Fault> {
    let open = wire.overload_trips.then_some(wire.overload_open);
    open.map(|open| positive("overloadOpen", nanoseconds("overloadOpen", open)?))
        .transpose()
}

/// What counts as a failure of an endpoint: what its breaker counts, or else the service's.
pub(super) fn failures_of(cluster: &Cluster) -> Conditions {
    let breaker = cluster
        .endpoint_breaker
        .as_ref()
        .or(cluster.service_breaker.as_ref());
    breaker.map_or_else(default_failures, |block| block.params.failures)
}

fn window(wire: mesh::BreakerWindow) -> Result<Window, Fault> {
    match enumeration("type", wire.r#type)? {
        mesh::WindowType::Count | mesh::WindowType::Unspecified => Ok(Window::Count {
            size: positive("size", wire.size)?,
        }),
        mesh::WindowType::Time => {
            let duration_ns = positive("duration", nanoseconds("duration", wire.duration)?)?;
            Ok(Window::Time { duration_ns })
        }
    }
}

fn trip(wire: mesh::BreakerTrip) -> Result<Trip, Fault> {
    Ok(Trip {
        error_rate: wire
            .error_rate
            .map(|rate| percent("errorRate", rate))
            .transpose()?,
        slow_rate: wire
            .slow_rate
            .map(|rate| percent("slowRate", rate))
            .transpose()?,
        slow_after_ns: optional_nanoseconds("slowAfter", wire.slow_after)?,
        consecutive_failures: wire.consecutive_failures,
    })
}

fn open(wire: mesh::BreakerOpen) -> Result<OpenTime, Fault> {
    Ok(OpenTime {
        base_ns: nanoseconds("base", wire.base)?,
        multiplier: multiplier("multiplier", wire.multiplier)?,
        max_ns: nanoseconds("max", wire.max)?,
        jitter: percent("jitter", wire.jitter)?,
    })
}

fn half_open(wire: mesh::BreakerHalfOpen) -> Result<HalfOpen, Fault> {
    let trial = match (wire.success_threshold, wire.probes) {
        (None, Some(probes)) => Trial::Probes(positive("probes", probes)?),
        (Some(successes), None) => Trial::Successes(positive("successThreshold", successes)?),
        _ => {
            return Err(Fault::new(
                "",
                "expected one of successThreshold and probes",
            ));
        }
    };
    Ok(HalfOpen {
        trial,
        max_wait_ns: nanoseconds("maxWait", wire.max_wait)?,
    })
}
