//! Instance groups, and who belongs to them.

use std::collections::{BTreeMap, HashMap};

use policy::instance_groups::Overflow;
use proxy::config::{Assignment, Group, Groups, RequestMatch};

use super::Fault;
use super::backpressure::criticality;
use super::limits::header_match;
use super::read::{Under, each, enumeration, percent};
use crate::mesh;

pub(super) fn decode(wire: mesh::InstanceGroups) -> Result<Groups, Fault> {
    let below = percent("overflowBelowPercent", wire.overflow_below_percent)?;
    let groups = in_order(wire.groups, &wire.assign);
    let assign = each("assign", wire.assign, |wire| assignment(wire, &groups))?;
    let overflow = match enumeration("overflow", wire.overflow)? {
        mesh::GroupOverflow::Never => Overflow::Never,
        mesh::GroupOverflow::WhenEmpty | mesh::GroupOverflow::Unspecified => Overflow::WhenEmpty,
        mesh::GroupOverflow::WhenBelow => Overflow::WhenBelow(below),
    };
    Ok(Groups {
        groups,
        assign,
        overflow,
    })
}

/// The groups in the order in which they spill: as `assign` names them first, then by name.
fn in_order(
    wire: HashMap<String, mesh::InstanceGroup>,
    assign: &[mesh::GroupAssignment],
) -> Vec<Group> {
    let mut rest = BTreeMap::from_iter(wire);
    let assigned = assign.iter().map(|wire| &wire.group);
    let mut groups: Vec<_> = assigned
        .filter_map(|name| rest.remove_entry(name))
        .collect();
    groups.extend(rest);
    groups.into_iter().map(group).collect()
}

fn group((name, wire): (String, mesh::InstanceGroup)) -> Group {
    let labels = wire.match_labels.into_iter();
    Group {
        name: name.into(),
        labels: labels
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
    }
}

fn assignment(wire: mesh::GroupAssignment, groups: &[Group]) -> Result<Assignment, Fault> {
    let place = groups.iter().position(|group| *group.name == *wire.group);
    let group = place.ok_or_else(|| {
        let reason = format!("expected the name of a group, found {:?}", wire.group);
        Fault::new("group", reason)
    })?;
    let header = wire.r#match.and_then(|wire| wire.header);
    let header = header.map(header_match).transpose().under("match.header")?;
    let matches = header.map(|header| RequestMatch {
        headers: vec![header],
        ..RequestMatch::default()
    });
    let word = (!wire.criticality.is_empty()).then_some(wire.criticality);
    Ok(Assignment {
        group,
        matches: matches.into_iter().collect(),
        criticality: word.map(|word| criticality(&word)).transpose()?,
    })
}

/// The place of the first group whose labels an endpoint has.
pub(super) fn group_of(groups: &Groups, labels: &BTreeMap<String, String>) -> Option<usize> {
    let has = |(name, value): &(Box<str>, Box<str>)| {
        labels.get(&**name).is_some_and(|found| **found == **value)
    };
    let mut groups = groups.groups.iter();
    groups.position(|group| group.labels.iter().all(has))
}
