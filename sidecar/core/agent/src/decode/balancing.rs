//! How endpoints are chosen.

use policy::balancer::Algorithm;
use proxy::config::{Balancing, HashOn};

use super::Fault;
use super::read::{duration, enumeration};
use crate::mesh;

pub(super) fn decode(wire: mesh::LoadBalancing) -> Result<Balancing, Fault> {
    Ok(Balancing {
        algorithm: algorithm(enumeration("policy", wire.policy)?),
        hash_on: wire.hash_on.and_then(hash_on),
        slow_start: duration("slowStart", wire.slow_start)?,
        prefers_near: match enumeration("locality", wire.locality)? {
            mesh::Locality::Prefer | mesh::Locality::Unspecified => true,
            mesh::Locality::Ignore => false,
        },
    })
}

const fn algorithm(wire: mesh::BalancingPolicy) -> Algorithm {
    match wire {
        mesh::BalancingPolicy::PeakEwma | mesh::BalancingPolicy::Unspecified => Algorithm::PeakEwma,
        mesh::BalancingPolicy::LeastRequest => Algorithm::LeastRequest,
        mesh::BalancingPolicy::RoundRobin => Algorithm::RoundRobin,
        mesh::BalancingPolicy::Random => Algorithm::Random,
        mesh::BalancingPolicy::RingHash => Algorithm::RingHash,
        mesh::BalancingPolicy::Maglev => Algorithm::Maglev,
    }
}

/// What requests are hashed by; nothing where the merged block names nothing.
fn hash_on(wire: mesh::HashOn) -> Option<HashOn> {
    if !wire.header.is_empty() {
        Some(HashOn::Header(wire.header.to_ascii_lowercase().into()))
    } else if !wire.cookie.is_empty() {
        Some(HashOn::Cookie(wire.cookie.into()))
    } else {
        wire.source_ip.then_some(HashOn::SourceIp)
    }
}
