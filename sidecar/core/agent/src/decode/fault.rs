//! Rehearsals.

use std::sync::Arc;

use proxy::config::Fault as Rehearsal;

use super::limits::{downloads, request_match};
use super::outbound::policy_ref;
use super::read::{Under, each, instant, optional_nanoseconds, percent, required};
use super::{Fault, scope};
use crate::mesh;

/// Rules with their places in the resource.
pub(super) fn decode(
    rules: impl Iterator<Item = (usize, mesh::FaultRules)>,
) -> Result<Vec<Arc<Rehearsal>>, Fault> {
    let mut rules = rules
        .map(|(index, rules)| one(rules).under(format!("faults[{index}]")))
        .collect::<Result<Vec<_>, _>>()?;
    scope::settle(&mut rules, |rules| (&rules.policy, &mut rules.reach));
    Ok(rules.into_iter().map(Arc::new).collect())
}

fn one(wire: mesh::FaultRules) -> Result<Rehearsal, Fault> {
    let policy = required("policy", wire.policy)?;
    Ok(Rehearsal {
        policy: Arc::new(policy_ref(&policy)),
        share: percent("percent", wire.percent)?,
        matches: each("match", wire.r#match, request_match)?,
        delay_ns: optional_nanoseconds("delay", wire.delay)?.unwrap_or_default(),
        abort: wire.abort.map(|abort| status(&abort)).transpose()?,
        bandwidth: wire
            .bandwidth
            .map(|figures| downloads(policy, figures))
            .transpose()?,
        until_unix_ns: instant("until", wire.until)?,
        is_shadow: wire.is_shadow,
        reach: scope::only(wire.scope),
    })
}

fn status(abort: &mesh::FaultAbort) -> Result<u16, Fault> {
    let known = |status: &u16| (400..=599).contains(status);
    let status = u16::try_from(abort.status).ok().filter(known);
    status.ok_or_else(|| {
        let reason = format!("expected 400 to 599, found {}", abort.status);
        Fault::new("abort.status", reason)
    })
}
