//! Rehearsals.

use std::sync::Arc;

use policy::fault::{Merge, turn};
use proxy::config::Fault as Rehearsal;

use super::limits::{downloads, request_match};
use super::origins::policy_ref;
use super::read::{Under, each, enumeration, instant, optional_nanoseconds, percent, required};
use super::{Fault, scope};
use crate::identity::Identity;
use crate::mesh;

/// Rules for this identity, with their places in the resource.
pub(super) fn decode(
    rules: impl Iterator<Item = (usize, mesh::FaultRules)>,
    identity: &Identity,
) -> Result<Vec<Arc<Rehearsal>>, Fault> {
    let (mut found, mut turns) = (Vec::new(), Vec::new());
    for (index, rules) in rules {
        // How specifically it speaks of us comes after how specific its target is.
        let target = rules.specificity.saturating_mul(Identity::RANKS);
        let specificity = target.saturating_add(identity.rank(&rules.from));
        let age = rules.age;
        let rules = one(rules).under(format!("faults[{index}]"))?;
        turns.push(turn(rules.merge, specificity, age));
        found.push(rules);
    }
    for (rules, own) in found.iter_mut().zip(&turns) {
        rules.turn = turns.iter().filter(|&other| other < own).count() as u32;
    }
    scope::settle(&mut found, |rules| (&rules.policy, &mut rules.reach));
    Ok(found.into_iter().map(Arc::new).collect())
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
        merge: merge(wire.merge)?,
        turn: 0,
    })
}

fn merge(wire: i32) -> Result<Merge, Fault> {
    Ok(match enumeration("merge", wire)? {
        mesh::PolicyMerge::Unspecified | mesh::PolicyMerge::PatchDefaults => Merge::PatchDefaults,
        mesh::PolicyMerge::AtomicDefaults => Merge::AtomicDefaults,
        mesh::PolicyMerge::PatchOverrides => Merge::PatchOverrides,
        mesh::PolicyMerge::AtomicOverrides => Merge::AtomicOverrides,
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
