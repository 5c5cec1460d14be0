//! Limits: of requests, of connections, of bytes and of what the whole cgroup uses.

use std::net::IpAddr;
use std::sync::Arc;

use policy::rate_limit::strain::{Resource, Thresholds};
use policy::{Reason, rate_limit};

use super::{PathMatch, PolicyRef, Reach, RequestMatch};

/// The limits of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRules {
    /// The policy.
    pub policy: Arc<PolicyRef>,
    /// The limits of requests.
    pub limits: Vec<Limit>,
    /// The limits of connections, asked when one is accepted.
    pub connections: Vec<Limit>,
    /// The limits of the bytes in bodies of requests.
    pub uploads: Vec<Limit>,
    /// The limits of the bytes in bodies of answers.
    pub downloads: Vec<Limit>,
    /// The limits of what the whole cgroup uses.
    pub resources: Vec<ResourceLimit>,
    /// Requests that are charged and never refused, any of.
    pub exempt: Arc<[Exemption]>,
    /// How refusals look.
    pub response: LimitResponse,
    /// Whether they only report what they would refuse.
    pub is_shadow: bool,
    /// The requests that they are for.
    pub reach: Reach,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Name within the policy.
    pub name: Box<str>,
    /// Whom it counts apart; empty: one shared count.
    pub by: Vec<Subject>,
    /// What happens when a part of the subject is missing.
    pub on_missing: OnMissing,
    /// Requests it applies to, any of; empty: every request.
    pub matches: Vec<RequestMatch>,
    /// What one request costs.
    pub cost: Cost,
    /// Its figures.
    pub params: rate_limit::Params,
    /// What its refusals are called.
    pub reason: Reason,
    /// Moves its figure within bounds.
    pub adaptive: Option<Adaptive>,
    /// Whether its figures are the whole fleet's, of which each member has an equal share.
    pub is_divided: bool,
}

impl Limit {
    /// Whether something is still to be done once a request was admitted: a place given back, a cost charged.
    pub(crate) const fn is_held(&self) -> bool {
        matches!(self.params.algorithm, rate_limit::Algorithm::Concurrency(_))
            || matches!(self.cost, Cost::ResponseHeader { .. })
    }
}

/// How the figure of a limit moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adaptive {
    /// Its bounds, and the target.
    pub params: rate_limit::adaptive::Params,
    /// What is to keep to the target.
    pub follows: Follows,
}

/// What a limit that moves follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// The time that 99 of 100 attempts take at most.
    P99,
    /// Processor time that the cgroup uses.
    Cpu,
    /// Places taken in the queue that requests have to pass.
    Queue,
}

/// One limit of what the whole cgroup uses: while that is too much, requests are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceLimit {
    /// Name within the policy.
    pub name: Box<str>,
    /// Requests it applies to, any of; empty: every request.
    pub matches: Vec<RequestMatch>,
    /// When it is too much, of each resource that is watched.
    pub thresholds: Vec<(Resource, Thresholds)>,
}

/// One part of the subject of a limit. Names of headers are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Value of this request header.
    Header(Box<str>),
    /// Value of this cookie.
    Cookie(Box<str>),
    /// Value of this query parameter.
    Query(Box<str>),
    /// Address of the client; IPv6 by /64.
    SourceIp {
        /// Trusted proxies between the client and us; zero: it is the peer.
        hops: u8,
    },
    /// The connection that a request came over.
    Connection,
    /// Verified identity of the caller.
    Principal,
    /// Canonical path.
    Path,
    /// Method.
    Method,
}

/// What happens when a part of the subject is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissing {
    /// All such requests share one count.
    ShareOne,
    /// The limit does not apply.
    Skip,
    /// The request is refused.
    Refuse,
}

/// What one request costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    /// The same for each.
    Fixed(u64),
    /// Read from a request header.
    Header {
        /// Name, in lower case.
        name: Box<str>,
        /// Cost when the header is missing or no number.
        default: u64,
    },
    /// Read from a header of the answer, and charged then.
    ResponseHeader {
        /// Name, in lower case.
        name: Box<str>,
        /// Cost when the header is missing or no number.
        default: u64,
    },
}

/// Requests that are charged and never refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exemption {
    /// A verified caller; without verified identities nobody is one.
    Principal,
    /// A canonical path.
    Path(PathMatch),
    /// A block of addresses of the client.
    SourceIp {
        /// First address of the block.
        network: IpAddr,
        /// Leading bits that are fixed.
        prefix: u8,
        /// Trusted proxies between the client and us; zero: it is the peer.
        hops: u8,
    },
}

/// How refusals by limits look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitResponse {
    /// Status.
    pub status: u16,
    /// Which quota headers are sent, on admitted requests too.
    pub headers: LimitHeaders,
    /// Whether the body is problem+json.
    pub problem: bool,
}

/// Which quota headers are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitHeaders {
    /// `RateLimit` and `RateLimit-Policy`.
    Standard,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
    Legacy,
    /// Both forms.
    Both,
    /// None.
    None,
}
