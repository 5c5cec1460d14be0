//! Which endpoints of a service may be called, and how one of them is chosen.

use std::time::Duration;

use policy::balancer::Algorithm;
use policy::condition::Conditions;
use policy::instance_groups::Overflow;
use policy::{Criticality, health_check, outlier, readiness};

use super::RequestMatch;

/// Outlier detection.
#[derive(Clone, Debug, PartialEq)]
pub struct Outliers {
    /// Its detectors.
    pub params: outlier::Params,
    /// How many endpoints may be set aside, by it and by their breakers together.
    pub readiness: readiness::Params,
    /// What counts as a failure: what breakers count.
    pub failures: Conditions,
}

/// How endpoints are chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancing {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// What a hashed one chooses by.
    pub hash_on: Option<HashOn>,
    /// Time in which an endpoint that joins others grows to its whole share.
    pub slow_start: Duration,
    /// Whether endpoints of the own zone go first.
    pub prefers_near: bool,
}

/// What a request is hashed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashOn {
    /// Value of this request header, in lower case.
    Header(Box<str>),
    /// Value of this cookie.
    Cookie(Box<str>),
    /// Address of the peer; IPv6 by /64.
    SourceIp,
}

/// Endpoints that a kind of requests has for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// The groups, in the order in which they spill.
    pub groups: Vec<Group>,
    /// Which of them a request belongs to, the first that matches.
    pub assign: Vec<Assignment>,
    /// When one of them uses the endpoints of later ones.
    pub overflow: Overflow,
}

/// One instance group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: Box<str>,
    /// Labels that its endpoints have.
    pub labels: Vec<(Box<str>, Box<str>)>,
}

/// Requests of one instance group; all members that are set must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The place of the group.
    pub group: usize,
    /// What they look like; empty: anything.
    pub matches: Vec<RequestMatch>,
    /// How much they matter.
    pub criticality: Option<Criticality>,
}

/// What endpoints are asked how they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// When they are asked, and what their answers mean.
    pub params: health_check::Params,
    /// Time for one answer.
    pub timeout: Duration,
    /// How many sidecars probe each endpoint.
    pub probers: u32,
    /// The question.
    pub probe: Probe,
}

/// What an endpoint is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// An HTTP/1.1 request.
    Http {
        /// Its path.
        path: Box<str>,
        /// Statuses that pass: three digits, or a class such as 2xx.
        expect: Vec<Box<str>>,
    },
    /// A call of `grpc.health.v1.Health/Check`.
    Grpc {
        /// The service asked about; empty: the server.
        service: Box<str>,
    },
    /// A connection.
    Tcp,
}
