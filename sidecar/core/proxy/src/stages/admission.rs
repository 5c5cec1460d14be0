//! Admission: calls that this side keeps to itself, while many fail or because endpoints said what share they admit.

use std::sync::Arc;

use http1::Known;
use policy::admission::{Admission, AdmitRate, Params};
use policy::ending::Ending;
use policy::{Percent, Reason};

use super::Refusal;
use super::endpoint::EndpointSet;
use crate::chance::Chance;
use crate::live::Cluster;
use crate::name::PolicyRef;
use crate::request::Response;

/// What keeps calls to one service back.
#[derive(Debug, Default)]
pub(crate) struct Restraint {
    control: Option<Admission>,
    /// What endpoints said they admit, by their ids.
    rates: Vec<(u64, AdmitRate)>,
}

impl Restraint {
    /// Takes new figures; without any nothing counted is kept.
    pub(crate) fn reconfigure(&mut self, params: Option<Params>) {
        match (&mut self.control, params) {
            (Some(control), Some(params)) => control.reconfigure(params),
            (_, params) => self.control = params.map(Admission::new),
        }
    }

    /// The share of calls that is kept back while many fail; none where no policy says so.
    pub(crate) fn share(&mut self, now_ns: u64) -> Option<Percent> {
        Some(self.control.as_mut()?.rejects(now_ns))
    }

    /// Counts a request that ended.
    pub(crate) fn record(&mut self, is_success: bool, now_ns: u64) {
        if let Some(control) = &mut self.control {
            control.record(is_success, now_ns);
        }
    }

    /// Takes what an endpoint says of the share that it admits.
    pub(crate) fn hear(&mut self, endpoint: u64, rate: Percent, now_ns: u64) {
        self.rates
            .retain(|(id, rate)| *id != endpoint && rate.holds(now_ns));
        let mut said = AdmitRate::default();
        said.hear(rate, now_ns);
        self.rates.push((endpoint, said));
    }

    /// Whether the shares that some of `endpoints` admit let a call pass: each stands for an equal part of all calls.
    fn is_within_rates(&self, endpoints: usize, chance: &Chance, now_ns: u64) -> bool {
        if self.rates.is_empty() {
            return true;
        }
        let part = (u128::from(chance.draw()) * endpoints.max(1) as u128) >> 64;
        let rate = self.rates.get(part as usize);
        rate.is_none_or(|(_, rate)| rate.admits(now_ns, chance.draw()))
    }
}

/// Lets a call pass, or keeps it back.
pub(crate) fn admit(
    cluster: &Cluster,
    endpoints: &EndpointSet,
    chance: &Chance,
    now_ns: u64,
) -> Result<(), Refusal> {
    let mut restraint = cluster.admission.borrow_mut();
    if let Some(control) = &mut restraint.control
        && !control.admits(now_ns, chance.draw())
    {
        return Err(Refusal::new(Reason::AdmissionRate).by(policy_of(cluster)));
    }
    if restraint.is_within_rates(endpoints.size(), chance, now_ns) {
        return Ok(());
    }
    Err(Refusal::new(Reason::AdmissionRate))
}

/// The policy behind a cluster's admission control.
pub(crate) fn policy_of(cluster: &Cluster) -> Option<Arc<PolicyRef>> {
    cluster.config.admission.as_ref()?.policy.clone()
}

/// The share that a sidecar says it admits.
pub(crate) fn said_rate(response: &dyn Response) -> Option<Percent> {
    let fraction = std::str::from_utf8(response.known(Known::BreakwaterAdmitRate)?);
    let fraction: f64 = fraction.ok()?.parse().ok()?;
    (0.0..=1.0)
        .contains(&fraction)
        .then(|| Percent::from_millionths((fraction * 1e6).round() as u32))
}

/// Whether a request succeeded whose last attempt ended so; none when that says nothing of the service.
pub(crate) const fn has_succeeded(ending: &Ending, has_failed: bool) -> Option<bool> {
    match ending {
        Ending::Response { .. } => Some(!has_failed),
        Ending::PeerRefusal { elsewhere: true } => Some(false),
        _ if has_failed => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
