//! Affinity: what of a request decides which endpoints may take it.

use policy::balancer::hash::hash;

use crate::config::{Balancing, Cluster, HashOn};
use crate::request::Request;
use crate::stages::rate_limit::{cookie, network};

/// What a request brings to the choice of its endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Affinity {
    /// What a hashed algorithm chooses by.
    pub(super) key: Option<u64>,
}

impl Affinity {
    pub(crate) fn of(config: &Cluster, request: &dyn Request) -> Self {
        let block = config.balancing.as_ref();
        Self {
            key: block.and_then(|block| key(&block.params, request)),
        }
    }
}

/// The key, the same in every sidecar; none when the request lacks what is hashed.
fn key(balancing: &Balancing, request: &dyn Request) -> Option<u64> {
    if !balancing.algorithm.is_hashed() {
        return None;
    }
    let value = match balancing.hash_on.as_ref()? {
        HashOn::Header(name) => request.find(name),
        HashOn::Cookie(name) => cookie(request, name),
        HashOn::SourceIp => Some(network(request.peer()).octets().to_vec()),
    };
    value.map(|value| hash(&value, KEYS))
}

/// Keeps keys apart from the names of endpoints, which are hashed in the same way.
const KEYS: u64 = 0x4B45_5953;
