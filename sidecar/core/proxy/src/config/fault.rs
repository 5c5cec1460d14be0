//! A rehearsal: what is done to a share of the calls of a service, until an instant that is fixed beforehand.

use std::sync::Arc;

use policy::Percent;
use policy::fault::{Effects, Merge};

use super::{LimitRules, PolicyRef, Reach, RequestMatch};

/// One rehearsal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The policy.
    pub policy: Arc<PolicyRef>,
    /// Share of the requests that meet it.
    pub share: Percent,
    /// Requests it concerns, any of; empty: every request.
    pub matches: Vec<RequestMatch>,
    /// How long they wait, nanoseconds; zero: not at all.
    pub delay_ns: u64,
    /// The HTTP status that they are refused with.
    pub abort: Option<u16>,
    /// How fast the body of each of their answers is read: one limit of downloads.
    pub bandwidth: Option<LimitRules>,
    /// When it is over, nanoseconds since 1970.
    pub until_unix_ns: u64,
    /// Whether it only reports what it would do.
    pub is_shadow: bool,
    /// The requests that it is for.
    pub reach: Reach,
    /// How it combines with others.
    pub merge: Merge,
    /// When its turn comes among those of the service.
    pub turn: u32,
}

impl Fault {
    /// What it does by itself.
    pub(crate) fn effects(&self) -> Effects {
        Effects::DELAY.only_if(self.delay_ns > 0)
            | Effects::ABORT.only_if(self.abort.is_some())
            | Effects::BANDWIDTH.only_if(self.bandwidth.is_some())
    }

    /// How many bytes of each answer's body are read in a second, if that is bounded.
    pub(crate) fn bytes_per_second(&self) -> Option<u64> {
        let limit = self.bandwidth.as_ref()?.downloads.first()?;
        Some(limit.params.algorithm.rate()?.requests())
    }
}
