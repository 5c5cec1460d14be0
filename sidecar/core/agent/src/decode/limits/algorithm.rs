//! How a limit counts.

use policy::rate_limit::{Algorithm, Evict, Leak, Rate};

use super::super::Fault;
use super::super::read::{enumeration, nanoseconds, positive};
use crate::mesh;

pub(super) fn decode(wire: &mesh::Limit) -> Result<Algorithm, Fault> {
    let rate = rate(wire)?;
    Ok(match enumeration("algorithm", wire.algorithm)? {
        mesh::LimitAlgorithm::TokenBucket | mesh::LimitAlgorithm::Unspecified => {
            let burst = wire.burst;
            Algorithm::TokenBucket { rate, burst }
        }
        mesh::LimitAlgorithm::LeakyBucket => Algorithm::LeakyBucket(leak(wire, rate)?),
        mesh::LimitAlgorithm::FixedWindow => Algorithm::FixedWindow {
            rate,
            aligned: wire.aligned.unwrap_or(true),
        },
        mesh::LimitAlgorithm::SlidingLog => Algorithm::SlidingLog { rate },
        mesh::LimitAlgorithm::SlidingWindow => Algorithm::SlidingWindow {
            rate,
            buckets: positive("buckets", wire.buckets)?,
        },
    })
}

fn rate(wire: &mesh::Limit) -> Result<Rate, Fault> {
    let per_ns = positive("per", nanoseconds("per", wire.per)?)?;
    Ok(Rate::new(positive("requests", wire.requests)?, per_ns))
}

fn leak(wire: &mesh::Limit, rate: Rate) -> Result<Leak, Fault> {
    let evict = match enumeration("evict", wire.evict)? {
        mesh::LimitEviction::Newest | mesh::LimitEviction::Unspecified => Evict::Newest,
        mesh::LimitEviction::Oldest => Evict::Oldest,
    };
    Ok(Leak {
        rate,
        queue: wire.queue,
        max_wait_ns: nanoseconds("maxWait", wire.max_wait)?,
        evict,
    })
}
