//! Rate limits, of a cluster as of a service of our own.

mod algorithm;
mod kinds;

use std::net::IpAddr;
use std::sync::Arc;

use kinds::Kind;
use proxy::config::{
    Exemption, HeaderMatch, Limit, LimitHeaders, LimitResponse, LimitRules, PathMatch,
    RequestMatch, Subject,
};

use super::origins::policy_ref;
use super::read::{Under, canonical, each, enumeration, required};
use super::{Fault, scope};
use crate::mesh;

/// Rules with their places in the resource.
pub(super) fn decode(
    rules: impl Iterator<Item = (usize, mesh::RateLimitRules)>,
) -> Result<Vec<LimitRules>, Fault> {
    let mut rules = rules
        .map(|(index, rules)| one(rules).under(format!("rateLimits[{index}]")))
        .collect::<Result<Vec<_>, _>>()?;
    scope::settle(&mut rules, |rules| (&rules.policy, &mut rules.reach));
    Ok(rules)
}

fn one(wire: mesh::RateLimitRules) -> Result<LimitRules, Fault> {
    let limits = each("limits", wire.limits, kinds::decode)?;
    let hops = u8::try_from(wire.trusted_hops)
        .map_err(|_| Fault::new("trustedHops", "expected at most 255"))?;
    let (mut requests, mut connections) = (Vec::new(), Vec::new());
    let (mut uploads, mut downloads) = (Vec::new(), Vec::new());
    let mut resources = Vec::new();
    for limit in limits {
        match limit {
            Kind::Requests(limit) => requests.push(believing(limit, hops)),
            Kind::Connections(limits) => connections.extend(limits),
            Kind::Resource(limit) => resources.push(limit),
            Kind::Bytes { upload, download } => {
                uploads.extend(upload.map(|limit| believing(limit, hops)));
                downloads.extend(download.map(|limit| believing(limit, hops)));
            }
        }
    }
    Ok(LimitRules {
        policy: Arc::new(policy_ref(&required("policy", wire.policy)?)),
        limits: requests,
        connections,
        uploads,
        downloads,
        resources,
        exempt: each("exempt", wire.exempt, |wire| exemption(wire, hops))?.into(),
        is_shadow: wire.is_shadow,
        reach: scope::only(wire.scope),
        response: response(&required("response", wire.response)?).under("response")?,
    })
}

/// A limit that counts clients so many trusted hops away.
fn believing(mut limit: Limit, trusted: u8) -> Limit {
    for part in &mut limit.by {
        if let Subject::SourceIp { hops } = part {
            *hops = trusted;
        }
    }
    limit
}

/// One limit of the bytes in the bodies of answers.
pub(super) fn downloads(
    policy: mesh::PolicyRef,
    figures: mesh::FaultBandwidth,
) -> Result<LimitRules, Fault> {
    let bandwidth = mesh::BandwidthLimit {
        bytes_per_second: figures.bytes_per_second,
        direction: mesh::BandwidthDirection::Response.into(),
        ..Default::default()
    };
    let limit = mesh::Limit {
        name: "bandwidth".to_owned(),
        max_keys: 1,
        bandwidth: Some(bandwidth),
        ..Default::default()
    };
    let response = mesh::LimitResponse {
        status: 429,
        ..Default::default()
    };
    one(mesh::RateLimitRules {
        policy: Some(policy),
        limits: vec![limit],
        response: Some(response),
        ..Default::default()
    })
}

pub(super) fn subject(wire: mesh::LimitSubject) -> Result<Subject, Fault> {
    let named =
        |name: String, of: fn(Box<str>) -> Subject| (!name.is_empty()).then(|| of(name.into()));
    let flag = |is_set: bool, subject: Subject| is_set.then_some(subject);
    let found = [
        named(wire.header.to_ascii_lowercase(), Subject::Header),
        named(wire.cookie, Subject::Cookie),
        named(wire.query, Subject::Query),
        flag(wire.source_ip, Subject::SourceIp { hops: 0 }),
        flag(wire.principal, Subject::Principal),
        flag(wire.path, Subject::Path),
        flag(wire.method, Subject::Method),
    ];
    let mut set = found.into_iter().flatten();
    match (set.next(), set.next()) {
        (Some(subject), None) => Ok(subject),
        _ => Err(Fault::new("", "expected exactly one subject known here")),
    }
}

pub(super) fn request_match(wire: mesh::RequestMatch) -> Result<RequestMatch, Fault> {
    Ok(RequestMatch {
        methods: wire.methods.into_iter().map(Into::into).collect(),
        path: wire.path.map(path).transpose().under("path")?,
        headers: each("headers", wire.headers, header_match)?,
    })
}

fn path(wire: mesh::PathMatch) -> Result<PathMatch, Fault> {
    match (wire.exact.is_empty(), wire.prefix.is_empty()) {
        (false, true) => Ok(PathMatch::Exact(canonical(&wire.exact))),
        (true, false) => Ok(PathMatch::Prefix(canonical(&wire.prefix))),
        _ => Err(Fault::new("", "expected one of exact and prefix")),
    }
}

pub(super) fn header_match(wire: mesh::HeaderMatch) -> Result<HeaderMatch, Fault> {
    let name = wire.name.to_ascii_lowercase().into();
    match (wire.value, wire.present) {
        (Some(value), None) => Ok(HeaderMatch::Value {
            name,
            value: value.into(),
        }),
        (None, Some(present)) => Ok(HeaderMatch::Presence { name, present }),
        _ => Err(Fault::new("", "expected one of value and present")),
    }
}

fn exemption(wire: mesh::Exemption, hops: u8) -> Result<Exemption, Fault> {
    match (wire.principal, wire.path, wire.source_ip.as_str()) {
        (Some(_), None, "") => Ok(Exemption::Principal),
        (None, Some(wire), "") => path(wire).map(Exemption::Path).under("path"),
        (None, None, block) if !block.is_empty() => source_ip(block, hops),
        _ => Err(Fault::new("", "expected exactly one exemption known here")),
    }
}

fn source_ip(block: &str, hops: u8) -> Result<Exemption, Fault> {
    let read = || {
        let (address, prefix) = block
            .split_once('/')
            .map_or((block, None), |(address, prefix)| (address, Some(prefix)));
        let network: IpAddr = address.parse().ok()?;
        let bits = if network.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(bits), |prefix| prefix.parse().ok())?;
        (prefix <= bits).then_some(Exemption::SourceIp {
            network,
            prefix,
            hops,
        })
    };
    read().ok_or_else(|| {
        Fault::new(
            "sourceIp",
            format!("expected an address or a block, found {block:?}"),
        )
    })
}

fn response(wire: &mesh::LimitResponse) -> Result<LimitResponse, Fault> {
    let known = |status: &u16| (400..=599).contains(status);
    let status = u16::try_from(wire.status).ok().filter(known);
    let headers = match enumeration("headers", wire.headers)? {
        mesh::LimitHeaders::Standard | mesh::LimitHeaders::Unspecified => LimitHeaders::Standard,
        mesh::LimitHeaders::Legacy => LimitHeaders::Legacy,
        mesh::LimitHeaders::Both => LimitHeaders::Both,
        mesh::LimitHeaders::None => LimitHeaders::None,
    };
    Ok(LimitResponse {
        status: status.ok_or_else(|| {
            Fault::new(
                "status",
                format!("expected 400 to 599, found {}", wire.status),
            )
        })?,
        headers,
        problem: wire.problem.unwrap_or(true),
    })
}
