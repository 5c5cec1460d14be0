//! What a limit limits: requests, what is in flight, connections, bodies, or what the cgroup uses.

use policy::Reason;
use policy::rate_limit::bandwidth::Bandwidth;
use policy::rate_limit::strain::{Resource, Thresholds};
use policy::rate_limit::{Algorithm, Params, Rate, Share, WhenKeysFull, adaptive};
use proxy::config::{Adaptive, Cost, Follows, Limit, OnMissing, ResourceLimit, Subject};

use super::super::Fault;
use super::super::read::{Under, each, enumeration, nanoseconds, percent, positive, required};
use super::{algorithm, request_match, subject};
use crate::mesh;

const SECOND_NS: u64 = 1_000_000_000;

/// A limit by what it is asked about.
pub(super) enum Kind {
    /// Every request.
    Requests(Limit),
    /// Every connection: one limit of those open, one of new ones.
    Connections(Vec<Limit>),
    /// Bodies of requests, and of answers.
    Bytes {
        upload: Option<Limit>,
        download: Option<Limit>,
    },
    /// What the whole cgroup uses.
    Resource(ResourceLimit),
}

pub(super) fn decode(wire: mesh::Limit) -> Result<Kind, Fault> {
    match (
        wire.requests,
        wire.concurrency,
        wire.connections,
        wire.bandwidth,
        &wire.resource,
    ) {
        (1.., 0, None, None, None) => {
            let algorithm = algorithm::decode(&wire)?;
            limit(wire, algorithm, algorithm.reason()).map(Kind::Requests)
        }
        (0, most @ 1.., None, None, None) => {
            let algorithm = Algorithm::Concurrency(Share::new(most, 1));
            limit(wire, algorithm, Reason::RatelimitConcurrency).map(Kind::Requests)
        }
        (0, 0, Some(figures), None, None) => connections(&wire, figures).map(Kind::Connections),
        (0, 0, None, Some(figures), None) => bytes(&wire, figures).under("bandwidth"),
        (0, 0, None, None, Some(figures)) => {
            let thresholds = resources(figures).under("resource")?;
            resource(wire, thresholds).map(Kind::Resource)
        }
        _ => Err(Fault::new(
            "",
            "expected exactly one kind of limit known here",
        )),
    }
}

fn limit(wire: mesh::Limit, algorithm: Algorithm, reason: Reason) -> Result<Limit, Fault> {
    Ok(Limit {
        by: each("by", wire.by, subject)?,
        on_missing: on_missing(enumeration("onMissing", wire.on_missing)?),
        matches: each("match", wire.r#match, request_match)?,
        cost: cost(wire.cost),
        params: Params {
            algorithm,
            max_keys: positive("maxKeys", wire.max_keys)?,
            when_keys_full: when_keys_full(enumeration("whenKeysFull", wire.when_keys_full)?),
            count_refused: wire.count_refused,
        },
        reason,
        adaptive: wire.adaptive.map(adaptive).transpose().under("adaptive")?,
        is_divided: is_divided(enumeration("scope", wire.scope)?),
        name: wire.name.into(),
    })
}

fn adaptive(wire: mesh::AdaptiveLimit) -> Result<Adaptive, Fault> {
    let target = required("target", wire.target)?;
    let (follows, target) = self::target(&target).under("target")?;
    let params = adaptive::Params {
        min: positive("min", wire.min)?,
        max: positive("max", wire.max)?,
        target,
    };
    Ok(Adaptive { params, follows })
}

/// What is followed, and the most of it: nanoseconds, or millionths.
fn target(wire: &mesh::AdaptiveTarget) -> Result<(Follows, u64), Fault> {
    let share = |name, value| Ok(percent(name, value)?.millionths().into());
    match (wire.p99, wire.cpu_percent, wire.queue_percent) {
        (Some(_), None, None) => Ok((Follows::P99, nanoseconds("p99", wire.p99)?)),
        (None, Some(most), None) => Ok((Follows::Cpu, share("cpuPercent", most)?)),
        (None, None, Some(most)) => Ok((Follows::Queue, share("queuePercent", most)?)),
        _ => Err(Fault::new("", "expected exactly one target known here")),
    }
}

fn resource(
    wire: mesh::Limit,
    thresholds: Vec<(Resource, Thresholds)>,
) -> Result<ResourceLimit, Fault> {
    Ok(ResourceLimit {
        name: wire.name.into(),
        matches: each("match", wire.r#match, request_match)?,
        thresholds,
    })
}

/// When each resource that is watched is used too much.
fn resources(wire: &mesh::ResourceLimit) -> Result<Vec<(Resource, Thresholds)>, Fault> {
    let figures = [
        (Resource::Cpu, "cpuPercent", &wire.cpu_percent),
        (Resource::Memory, "memoryPercent", &wire.memory_percent),
        (Resource::Pressure, "pressure", &wire.pressure),
    ];
    let stated = figures
        .into_iter()
        .filter_map(|(resource, name, wire)| Some((resource, name, wire.as_ref()?)));
    stated
        .map(|(resource, name, wire)| Ok((resource, thresholds(wire).under(name)?)))
        .collect()
}

fn thresholds(wire: &mesh::ResourceThresholds) -> Result<Thresholds, Fault> {
    Ok(Thresholds {
        enter: percent("enter", wire.enter)?,
        exit: percent("exit", wire.exit)?,
    })
}

/// Each figure is a limit of its own, named after its field.
fn connections(wire: &mesh::Limit, figures: mesh::ConnectionLimit) -> Result<Vec<Limit>, Fault> {
    let open = |most: u32| Algorithm::Concurrency(Share::new(most.into(), 1));
    let new = |most: u32| Algorithm::TokenBucket {
        rate: Rate::new(most.into(), SECOND_NS),
        burst: Some(most.into()),
    };
    let of = |figure: &str, algorithm| {
        let name = format!("{}.{figure}", wire.name);
        let wire = mesh::Limit {
            name,
            ..wire.clone()
        };
        limit(wire, algorithm, Reason::RatelimitConnections)
    };
    let concurrent = figures.concurrent.map(|most| of("concurrent", open(most)));
    let per_second = figures.per_second.map(|most| of("perSecond", new(most)));
    let both = concurrent.into_iter().chain(per_second);
    both.collect::<Result<_, _>>().under("connections")
}

/// Each direction is a limit of its own, named after it where there are both.
fn bytes(wire: &mesh::Limit, figures: mesh::BandwidthLimit) -> Result<Kind, Fault> {
    let figure = positive("bytesPerSecond", figures.bytes_per_second)?;
    let by = match enumeration("per", figures.per)? {
        mesh::BandwidthShare::Connection => vec![Subject::Connection],
        mesh::BandwidthShare::Client => vec![Subject::SourceIp { hops: 0 }],
        mesh::BandwidthShare::Service | mesh::BandwidthShare::Unspecified => Vec::new(),
    };
    let of = |suffix: &str| {
        let wire = mesh::Limit {
            name: format!("{}{suffix}", wire.name),
            ..wire.clone()
        };
        let algorithm = Bandwidth::new(figure).algorithm();
        let limit = limit(wire, algorithm, Reason::RatelimitBandwidth)?;
        let by = by.clone();
        Ok(Some(Limit { by, ..limit }))
    };
    let (upload, download) = match enumeration("direction", figures.direction)? {
        mesh::BandwidthDirection::Request => (of("")?, None),
        mesh::BandwidthDirection::Response => (None, of("")?),
        mesh::BandwidthDirection::Both | mesh::BandwidthDirection::Unspecified => {
            (of(".request")?, of(".response")?)
        }
    };
    Ok(Kind::Bytes { upload, download })
}

const fn on_missing(wire: mesh::MissingSubject) -> OnMissing {
    match wire {
        mesh::MissingSubject::ShareOne | mesh::MissingSubject::Unspecified => OnMissing::ShareOne,
        mesh::MissingSubject::Skip => OnMissing::Skip,
        mesh::MissingSubject::Refuse => OnMissing::Refuse,
    }
}

const fn when_keys_full(wire: mesh::FullKeyTable) -> WhenKeysFull {
    match wire {
        mesh::FullKeyTable::ShareOne | mesh::FullKeyTable::Unspecified => WhenKeysFull::ShareOne,
        mesh::FullKeyTable::Refuse => WhenKeysFull::Refuse,
        mesh::FullKeyTable::Allow => WhenKeysFull::Allow,
    }
}

fn cost(wire: Option<mesh::LimitCost>) -> Cost {
    let wire = wire.unwrap_or_default();
    let (default, name) = (wire.default, |name: String| {
        name.to_ascii_lowercase().into()
    });
    match (wire.header.is_empty(), wire.response_header.is_empty()) {
        (false, _) => Cost::Header {
            name: name(wire.header),
            default,
        },
        (true, false) => Cost::ResponseHeader {
            name: name(wire.response_header),
            default,
        },
        (true, true) => Cost::Fixed(wire.fixed.unwrap_or(1)),
    }
}

const fn is_divided(wire: mesh::LimitScope) -> bool {
    matches!(wire, mesh::LimitScope::Divided)
}
