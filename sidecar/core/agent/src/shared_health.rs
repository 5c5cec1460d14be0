//! Health that is shared with other sidecars, as messages. Pure.

use policy::health_check::Votes;
use proxy::config::ServiceName;
use proxy::report::{DoubtedEndpoint, EndpointVerdict, EndpointVotes, OthersHealth, OwnHealth};

use crate::encode::service;
use crate::mesh;

/// What this sidecar's probes found of one service.
pub(crate) fn encode(own: &OwnHealth) -> mesh::CheckedService {
    mesh::CheckedService {
        service: Some(service(&own.service)),
        version: own.version,
        verdicts: own.verdicts.iter().map(verdict).collect(),
        doubted: own.doubted.iter().map(doubted).collect(),
    }
}

fn doubted(doubted: &DoubtedEndpoint) -> mesh::DoubtedEndpoint {
    mesh::DoubtedEndpoint {
        endpoint: doubted.instance.to_string(),
        port: doubted.port.into(),
    }
}

fn verdict(verdict: &EndpointVerdict) -> mesh::EndpointVerdict {
    mesh::EndpointVerdict {
        endpoint: verdict.instance.to_string(),
        port: verdict.port.into(),
        healthy: verdict.is_healthy,
    }
}

/// What others found; what names no service or no port is left out.
pub(crate) fn decode(wire: &[mesh::OthersHealth]) -> Vec<OthersHealth> {
    let one = |wire: &mesh::OthersHealth| {
        let name = wire.service.as_ref()?;
        Some(OthersHealth {
            service: ServiceName::new(&name.namespace, &name.name),
            version: wire.version,
            checkers: wire.checkers.clone(),
            votes: wire.votes.iter().filter_map(votes).collect(),
        })
    };
    wire.iter().filter_map(one).collect()
}

fn votes(wire: &mesh::EndpointVotes) -> Option<EndpointVotes> {
    Some(EndpointVotes {
        instance: wire.endpoint.as_str().into(),
        port: wire.port.try_into().ok()?,
        votes: Votes {
            healthy: wire.healthy,
            unhealthy: wire.unhealthy,
        },
    })
}
