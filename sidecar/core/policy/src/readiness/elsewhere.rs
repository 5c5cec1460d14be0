//! Why an endpoint that others chose would not have been the choice here.

use super::pool::Pool;
use super::{Ask, Member, Readiness};
use crate::balancer::Balancer;

/// Why a call would have gone elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// Probes found the endpoint unhealthy.
    Unhealthy,
    /// It is set aside as an outlier.
    Outlier,
    /// Its breaker lets no call through.
    Breaker,
    /// It is not of the request's instance group.
    Group,
    /// It is in another zone, and the near one carries everything.
    Zone,
    /// The request's key belongs to another endpoint.
    Hash,
}

impl Elsewhere {
    /// Every cause, in the order of their counters.
    pub const ALL: [Self; 6] = [
        Self::Unhealthy,
        Self::Outlier,
        Self::Breaker,
        Self::Group,
        Self::Zone,
        Self::Hash,
    ];

    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unhealthy => "unhealthy",
            Self::Outlier => "outlier",
            Self::Breaker => "breaker",
            Self::Group => "group",
            Self::Zone => "zone",
            Self::Hash => "hash",
        }
    }
}

impl Readiness {
    /// Why an attempt that goes to `endpoint` would have gone elsewhere; none where it might have come there too.
    ///
    /// Where load or chance decide among several, it might have come to any of them.
    pub fn elsewhere<M: Member>(
        &self,
        members: &[M],
        balancer: &Balancer,
        ask: &Ask,
        endpoint: u32,
    ) -> Option<Elsewhere> {
        let is_ready = |pool: &Pool| pool.ready().contains(endpoint);
        let Some(pool) = self.pool(ask.group).filter(|pool| is_ready(pool)) else {
            return Some(left_out(&members[endpoint as usize], ask.now_ns, || {
                self.pool(None).is_some_and(is_ready)
            }));
        };
        if balancer.algorithm().is_hashed() && ask.key.is_some() {
            let is_other = self.choose(members, balancer, ask) != Some(endpoint);
            return is_other.then_some(Elsewhere::Hash);
        }
        pool.is_beyond(endpoint, ask.avoid)
            .then_some(Elsewhere::Zone)
    }
}

/// Why an endpoint is not ready for a request, given whether it is for others.
fn left_out(member: &impl Member, now_ns: u64, is_for_others: impl Fn() -> bool) -> Elsewhere {
    let is_outlier = || {
        member
            .outlier()
            .is_some_and(|record| record.is_ejected(now_ns))
    };
    match () {
        () if is_for_others() => Elsewhere::Group,
        () if member.is_unhealthy() => Elsewhere::Unhealthy,
        () if is_outlier() => Elsewhere::Outlier,
        () => Elsewhere::Breaker,
    }
}
