//! One endpoint: what is known of it, and what the machines that judge and pick see of that.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use policy::Percent;
use policy::balancer::{Load, SlowStart};
use policy::breaker::{Breaker, State};
use policy::health_check::Verdict as Health;
use policy::outlier::{self, Cause, Recorded};
use policy::readiness::Member;

use super::health;
use crate::stages::breaker::Guard;
use crate::upstream::Pools;

/// One address and port.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Names it for as long as it stays in the set.
    pub(super) id: u64,
    pub(crate) instance: Arc<str>,
    pub(crate) address: SocketAddr,
    pub(crate) has_sidecar: bool,
    pub(super) is_near: bool,
    /// Its share of the calls, in the smallest numbers that say the same.
    pub(crate) weight: u32,
    pub(crate) group: Option<usize>,
    pub(crate) load: Load,
    /// When it joined others that were called already.
    pub(super) joined_ns: Option<u64>,
    pub(super) slow_start: Option<SlowStart>,
    pub(crate) guard: Option<Guard>,
    pub(crate) record: outlier::Record,
    /// What its probes say, where it is probed.
    pub(crate) probed: Option<health::Probed>,
    /// Why people were told that it is set aside as an outlier; `None` once they know that it is not.
    pub(super) outlier: Option<Cause>,
    pub(crate) pools: Rc<Pools>,
}

impl Endpoint {
    /// The state in which its breaker lets no call through.
    pub(crate) fn barred_by(&self) -> Option<State> {
        let state = self.guard.as_ref()?.machine.state();
        matches!(state, State::Open | State::ForcedOpen).then_some(state)
    }
}

/// An endpoint that goes closes its connections; those in use are not kept afterwards.
impl Drop for Endpoint {
    fn drop(&mut self) {
        self.pools.close();
    }
}

impl Member for Endpoint {
    fn breaker(&self) -> Option<&Breaker> {
        self.guard.as_ref().map(|guard| &guard.machine)
    }

    fn breaker_mut(&mut self) -> Option<&mut Breaker> {
        self.guard.as_mut().map(|guard| &mut guard.machine)
    }

    fn load(&self) -> &Load {
        &self.load
    }

    fn outlier(&self) -> Option<&outlier::Record> {
        Some(&self.record)
    }

    fn share(&self, now_ns: u64) -> Percent {
        let share = self.record.share(now_ns);
        self.slow_start
            .map_or(share, |start| start.share(now_ns).min(share))
    }

    fn weight(&self) -> u32 {
        self.weight
    }

    fn is_unhealthy(&self) -> bool {
        self.probed
            .as_ref()
            .is_some_and(|probed| probed.verdict() == Health::Unhealthy)
    }

    fn is_near(&self) -> bool {
        self.is_near
    }

    fn group(&self) -> Option<usize> {
        self.group
    }
}

impl Recorded for Endpoint {
    fn record(&self) -> &outlier::Record {
        &self.record
    }

    fn record_mut(&mut self) -> &mut outlier::Record {
        &mut self.record
    }
}
