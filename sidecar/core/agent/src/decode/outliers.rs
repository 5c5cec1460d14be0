//! Outlier detection, and how many endpoints may be set aside.

use policy::condition::Conditions;
use policy::outlier::{FailurePercentage, Latency, Params, SuccessRate};
use policy::readiness;
use proxy::config::Outliers;

use super::Fault;
use super::read::{Under, factor, nanoseconds, percent, positive, required};
use crate::mesh;

pub(super) fn decode(
    wire: mesh::OutlierDetection,
    failures: Conditions,
) -> Result<Outliers, Fault> {
    let ejection = required("ejection", wire.ejection)?;
    Ok(Outliers {
        params: Params {
            interval_ns: positive("interval", nanoseconds("interval", wire.interval)?)?,
            consecutive_failures: wire.consecutive_failures,
            consecutive_gateway_failures: wire.consecutive_gateway_failures,
            connect_failures: wire.connect_failures,
            success_rate: wire
                .success_rate
                .map(|rules| success_rate(&rules).under("successRate"))
                .transpose()?,
            failure_percentage: wire
                .failure_percentage
                .map(|rules| failure_percentage(&rules).under("failurePercentage"))
                .transpose()?,
            latency: wire
                .latency
                .map(|rules| latency(&rules).under("latency"))
                .transpose()?,
            base_ns: nanoseconds("base", ejection.base).under("ejection")?,
            max_ns: nanoseconds("max", ejection.max).under("ejection")?,
        },
        readiness: readiness::Params {
            max_ejected: percent("maxEjectedPercent", wire.max_ejected_percent)?,
            panic_threshold: percent("panicThresholdPercent", wire.panic_threshold_percent)?,
        },
        failures,
    })
}

fn success_rate(wire: &mesh::SuccessRateDetector) -> Result<SuccessRate, Fault> {
    Ok(SuccessRate {
        stdev_factor: factor("stdevFactor", wire.stdev_factor)?,
        minimum_endpoints: wire.minimum_endpoints,
        minimum_requests: wire.minimum_requests,
    })
}

fn failure_percentage(wire: &mesh::FailurePercentageDetector) -> Result<FailurePercentage, Fault> {
    Ok(FailurePercentage {
        threshold: percent("threshold", wire.threshold)?,
        minimum_endpoints: wire.minimum_endpoints,
        minimum_requests: wire.minimum_requests,
    })
}

fn latency(wire: &mesh::LatencyDetector) -> Result<Latency, Fault> {
    Ok(Latency {
        factor: factor("factor", wire.factor)?,
        sweeps: positive("sweeps", wire.sweeps)?,
        minimum_samples: wire.minimum_samples,
    })
}
