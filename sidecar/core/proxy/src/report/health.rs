//! What probes of endpoints say: this sidecar's, and those of others.

use std::sync::Arc;

use policy::health_check::{Verdict, Votes};

use crate::name::ServiceName;

/// What the probers of an endpoint say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointHealth {
    /// All of them together.
    pub verdict: Verdict,
    /// Whether this sidecar is one of them.
    pub is_probed_here: bool,
    /// The others, where any of them found it unhealthy.
    pub others: Votes,
}

/// How the endpoints of a service are that this sidecar probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnHealth {
    /// The service.
    pub service: ServiceName,
    /// Names the set of checkers that it knows; zero: none.
    pub version: u64,
    /// What it found.
    pub verdicts: Vec<EndpointVerdict>,
    /// What it holds unhealthy by the word of others.
    pub doubted: Vec<DoubtedEndpoint>,
}

/// An endpoint that is held unhealthy, though no probe of this sidecar says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubtedEndpoint {
    /// Instance behind it.
    pub instance: Arc<str>,
    /// Port of the service.
    pub port: u16,
}

/// What the probes of one endpoint say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointVerdict {
    /// Instance behind it.
    pub instance: Arc<str>,
    /// Port of the service.
    pub port: u16,
    /// Whether it answers as expected.
    pub is_healthy: bool,
}

/// What other sidecars found of a service's endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OthersHealth {
    /// The service.
    pub service: ServiceName,
    /// Names the set of checkers.
    pub version: u64,
    /// All sidecars that check it; empty: those that are known under this version.
    pub checkers: Vec<u64>,
    /// What they found of endpoints that any of them found unhealthy, or that are held so here; others are well.
    pub votes: Vec<EndpointVotes>,
}

/// What other sidecars found of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointVotes {
    /// Instance behind it.
    pub instance: Arc<str>,
    /// Port of the service.
    pub port: u16,
    /// How many found it so.
    pub votes: Votes,
}
