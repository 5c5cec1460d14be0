//! Timeouts, retries, bulkhead and connection pool of a cluster.

use std::time::Duration;

use policy::admission;
use policy::budget::{self, Rate};
use policy::condition::Conditions;
use policy::criticality::CLASSES;
use policy::method::Method;
use policy::{Percent, bulkhead as machine, retry as tries};
use proxy::config::{Bulkhead, Pool, Retry, Timeouts};

use super::Fault;
use super::read::{
    Under, duration, enumeration, multiplier, nanoseconds, optional_duration, optional_nanoseconds,
    percent, positive, required,
};
use crate::mesh;

pub(super) fn timeouts(wire: mesh::Timeouts) -> Result<Timeouts, Fault> {
    Ok(Timeouts {
        connect: duration("connect", wire.connect)?,
        request: optional_duration("request", wire.request)?.filter(bounds),
        per_try: optional_duration("perTry", wire.per_try)?.filter(bounds),
        idle: duration("idle", wire.idle)?,
        stream_idle: optional_duration("streamIdle", wire.stream_idle)?,
        max_stream: optional_duration("maxStreamDuration", wire.max_stream_duration)?,
    })
}

/// Whether a time bounds anything: rules of routes say by zero that nothing does.
fn bounds(time: &Duration) -> bool {
    !time.is_zero()
}

pub(super) fn retry(wire: mesh::Retry) -> Result<Retry, Fault> {
    let strategy = strategy(enumeration("strategy", wire.strategy)?);
    let of = |method: &String| Method::from_bytes(method.as_bytes());
    let methods = wire.methods.iter().map(of);
    let others = wire
        .methods
        .iter()
        .filter(|method| of(method) == Method::Other);
    Ok(Retry {
        other_methods: others.map(|method| method.as_str().into()).collect(),
        params: tries::Params {
            attempts: wire.attempts,
            when: conditions("when", &wire.when)?,
            methods: methods.collect(),
            backoff: backoff(strategy, required("backoff", wire.backoff)?).under("backoff")?,
            replay_bytes: wire.replay_bytes,
            honor_retry_after: wire.honor_retry_after.unwrap_or(true),
        },
        budget: budget(required("budget", wire.budget)?).under("budget")?,
    })
}

fn backoff(strategy: tries::Strategy, wire: mesh::Backoff) -> Result<tries::Backoff, Fault> {
    Ok(tries::Backoff {
        strategy,
        base_ns: nanoseconds("base", wire.base)?,
        multiplier: multiplier("multiplier", wire.multiplier)?,
        max_ns: nanoseconds("max", wire.max)?,
        jitter_ns: optional_nanoseconds("jitter", wire.jitter)?.unwrap_or_default(),
    })
}

fn strategy(wire: mesh::RetryStrategy) -> tries::Strategy {
    match wire {
        mesh::RetryStrategy::Immediate => tries::Strategy::Immediate,
        mesh::RetryStrategy::Fixed => tries::Strategy::Fixed,
        mesh::RetryStrategy::Exponential => tries::Strategy::Exponential,
        mesh::RetryStrategy::ExponentialJitter => tries::Strategy::ExponentialJitter,
        mesh::RetryStrategy::FullJitter | mesh::RetryStrategy::Unspecified => {
            tries::Strategy::FullJitter
        }
        mesh::RetryStrategy::Decorrelated => tries::Strategy::Decorrelated,
    }
}

pub(super) fn budget(wire: mesh::RetryBudget) -> Result<budget::Params, Fault> {
    let floor = required("minRetryRate", wire.min_retry_rate)?;
    let per_ns = nanoseconds("interval", floor.interval).under("minRetryRate")?;
    Ok(budget::Params {
        percent: percent("percent", wire.percent)?,
        interval_ns: positive("interval", nanoseconds("interval", wire.interval)?)?,
        floor: Rate {
            count: floor.count.into(),
            per_ns,
        },
    })
}

/// The conditions that these words name.
pub(super) fn conditions(field: &str, words: &[String]) -> Result<Conditions, Fault> {
    Conditions::parse(words.iter().map(String::as_str))
        .map_err(|error| Fault::new(field, error.to_string()))
}

pub(super) fn bulkhead(wire: mesh::Bulkhead) -> Result<Bulkhead, Fault> {
    let default = match enumeration("preset", wire.preset)? {
        mesh::BulkheadPreset::ThreadPool => 10,
        mesh::BulkheadPreset::Unspecified => 100,
    };
    let shared = (!wire.shared_name.is_empty()).then(|| wire.shared_name.into());
    let params = machine::Params {
        max_concurrent: positive("maxConcurrent", wire.max_concurrent.unwrap_or(default))?,
        max_queue: wire.max_queue,
        queue_timeout_ns: optional_nanoseconds("queueTimeout", wire.queue_timeout)?,
        lanes: wire
            .lanes
            .map_or(Ok(machine::NO_LANES), |wire| lanes(&wire))?,
    };
    Ok(Bulkhead { params, shared })
}

fn lanes(wire: &mesh::Lanes) -> Result<[Percent; CLASSES], Fault> {
    let read = |share| percent("", share).under("lanes");
    Ok([
        read(wire.critical)?,
        read(wire.default)?,
        read(wire.sheddable)?,
        read(wire.background)?,
    ])
}

pub(super) fn pool(wire: mesh::ConnectionPool) -> Result<Pool, Fault> {
    let default = match enumeration("preset", wire.preset)? {
        mesh::ConnectionPoolPreset::Unspecified => 100,
        mesh::ConnectionPoolPreset::Database => 50,
        mesh::ConnectionPoolPreset::Cache => 20,
        mesh::ConnectionPoolPreset::External => 10,
    };
    Ok(Pool {
        max_connections: positive("maxConnections", wire.max_connections.unwrap_or(default))?,
        max_requests: wire.max_requests_per_connection,
        max_age: optional_duration("maxAge", wire.max_age)?,
    })
}

pub(super) fn admission(wire: &mesh::AdmissionControl) -> Result<admission::Params, Fault> {
    Ok(admission::Params {
        success_rate: percent("successRate", positive("successRate", wire.success_rate)?)?,
        window_ns: positive("window", nanoseconds("window", wire.window)?)?,
        max_reject: percent("maxRejectPercent", wire.max_reject_percent)?,
    })
}
