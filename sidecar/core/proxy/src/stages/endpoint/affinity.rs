//! Affinity: what of a request decides which endpoints may take it.

use std::net::SocketAddr;

use policy::Criticality;
use policy::balancer::hash::hash;

use crate::config::{Assignment, Balancing, Cluster, Groups, HashOn};
use crate::request::Request;
use crate::stages::rate_limit::{cookie, matching, network};

/// What a request brings to the choice of its endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Affinity {
    /// What a hashed algorithm chooses by.
    pub(super) key: Option<u64>,
    /// The instance group that it is assigned to.
    pub(super) group: Option<usize>,
    /// The only endpoint that will do: its caller chose it.
    pub(super) only: Option<SocketAddr>,
}

impl Affinity {
    /// `class` is asked only where the request may belong to a group by how much it matters.
    pub(crate) fn of(
        config: &Cluster,
        request: &dyn Request,
        class: impl FnOnce() -> Criticality,
    ) -> Self {
        let (balancing, groups) = (config.balancing.as_ref(), config.groups.as_ref());
        Self {
            key: balancing.and_then(|block| key(&block.params, request)),
            group: groups.and_then(|block| group(&block.params, request, class())),
            only: None,
        }
    }

    /// The same, where the caller chose an endpoint itself.
    pub(crate) fn to(self, only: Option<SocketAddr>) -> Self {
        Self { only, ..self }
    }

    /// Whether the caller chose an endpoint itself.
    pub(crate) const fn is_chosen(&self) -> bool {
        self.only.is_some()
    }

    /// The name of the group that the request is assigned to.
    pub(crate) fn group_name<'a>(&self, config: &'a Cluster) -> Option<&'a str> {
        let groups = &config.groups.as_ref()?.params.groups;
        groups.get(self.group?).map(|group| &*group.name)
    }
}

/// The group of the first assignment that matches.
fn group(groups: &Groups, request: &dyn Request, class: Criticality) -> Option<usize> {
    let is_meant = |assignment: &&Assignment| {
        assignment.criticality.is_none_or(|wanted| wanted == class)
            && matching::applies(&assignment.matches, request)
    };
    groups.assign.iter().find(is_meant).map(|found| found.group)
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
