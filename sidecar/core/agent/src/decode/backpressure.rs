//! What stands in front of the application of a service of ours.

use std::sync::Arc;

use policy::Criticality;
use policy::backpressure::{
    Concurrency, Discipline, EarlyDetection, Mode, Params, QueueParams, codel, gradient,
};
use proxy::config::{Backpressure, Class, ScopedBackpressure};

use super::Fault;
use super::limits::{request_match, subject};
use super::origins::Origins;
use super::read::{Under, each, enumeration, nanoseconds, percent, positive, required};
use super::scope::scope;
use crate::mesh;

/// What a field says, if it is there.
pub(super) fn front(
    field: &str,
    wire: Option<mesh::InboundBackpressure>,
) -> Result<Option<Backpressure>, Fault> {
    wire.map(decode).transpose().under(field)
}

/// What is said of the requests of a route or of a rule.
pub(super) fn scoped(wire: mesh::RouteBackpressure) -> Result<ScopedBackpressure, Fault> {
    Ok(ScopedBackpressure {
        scope: scope(required("scope", wire.scope)?),
        backpressure: front("backpressure", wire.backpressure)?,
        shadow: front("shadowBackpressure", wire.shadow_backpressure)?,
    })
}

fn decode(wire: mesh::InboundBackpressure) -> Result<Backpressure, Fault> {
    let origins = Origins(&wire.origins);
    let policy = |path| origins.policy(path).map(Arc::new);
    let settings = required("settings", wire.settings)?;
    let fairness = settings.fairness.unwrap_or_default();
    let (limit, queue, early) = (
        settings.concurrency,
        settings.queue,
        settings.early_detection,
    );
    Ok(Backpressure {
        params: Params {
            concurrency: limit.map_or(Ok(Concurrency::Unlimited), |wire| {
                concurrency(wire).under("concurrency")
            })?,
            queue: queue.map(self::queue).transpose().under("queue")?,
            early_detection: early
                .map(early_detection)
                .transpose()
                .under("earlyDetection")?,
        },
        classes: each("classes", settings.classes, class)?,
        fairness: each("by", fairness.by, subject).under("fairness")?,
        concurrency_policy: policy("concurrency"),
        queue_policy: policy("queue"),
    })
}

fn concurrency(wire: mesh::Concurrency) -> Result<Concurrency, Fault> {
    match (wire.limit, wire.adaptive) {
        (Some(limit), None) => Ok(Concurrency::Fixed(positive("limit", limit)?)),
        (None, Some(wire)) => adaptive(&wire).map(Concurrency::Adaptive).under("adaptive"),
        _ => Err(Fault::new("", "expected one of limit and adaptive")),
    }
}

fn adaptive(wire: &mesh::AdaptiveConcurrency) -> Result<gradient::Params, Fault> {
    let min = positive("min", wire.min)?;
    if wire.max < min {
        let reason = format!("expected at least min ({min}), found {}", wire.max);
        return Err(Fault::new("max", reason));
    }
    Ok(gradient::Params {
        min,
        max: wire.max,
        tolerance: within("tolerance", wire.tolerance, 1.0, 10.0)?,
        smoothing: within("smoothing", wire.smoothing, 0.01, 1.0)?,
    })
}

fn within(field: &str, value: f64, least: f64, most: f64) -> Result<f64, Fault> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let reason = format!("expected a number from {least} to {most}, found {value}");
    Err(Fault::new(field, reason))
}

fn queue(wire: mesh::Queue) -> Result<QueueParams, Fault> {
    Ok(QueueParams {
        capacity: positive("capacity", wire.capacity)?,
        mode: mode(&wire)?,
        discipline: discipline(&wire)?,
    })
}

fn mode(wire: &mesh::Queue) -> Result<Mode, Fault> {
    use mesh::QueueMode::{Block, Buffer, DropNewest, DropOldest, Throttle, Unspecified};
    Ok(match enumeration("mode", wire.mode)? {
        Block => Mode::Block {
            for_ns: nanoseconds("blockFor", wire.block_for)?,
        },
        DropNewest | Unspecified => Mode::DropNewest,
        DropOldest => Mode::DropOldest,
        Buffer => Mode::Buffer {
            max_capacity: positive("maxCapacity", wire.max_capacity)?,
            max_bytes: positive("maxBytes", wire.max_bytes)?,
        },
        Throttle => Mode::Throttle {
            from: percent("throttleFrom", wire.throttle_from)?,
        },
    })
}

fn discipline(wire: &mesh::Queue) -> Result<Discipline, Fault> {
    use mesh::QueueDiscipline::{Codel, CodelLifo, Fifo, Unspecified};
    Ok(match enumeration("discipline", wire.discipline)? {
        Fifo | Unspecified => Discipline::Fifo,
        Codel => Discipline::Codel(codel(wire.codel)?),
        CodelLifo => Discipline::CodelLifo(codel(wire.codel)?),
    })
}

fn codel(wire: Option<mesh::CodelFigures>) -> Result<codel::Params, Fault> {
    let wire = required("codel", wire)?;
    let figures = || {
        Ok(codel::Params {
            target_ns: positive("target", nanoseconds("target", wire.target)?)?,
            interval_ns: positive("interval", nanoseconds("interval", wire.interval)?)?,
        })
    };
    figures().under("codel")
}

fn class(wire: mesh::CriticalityClass) -> Result<Class, Fault> {
    Ok(Class {
        criticality: criticality(&wire.criticality)?,
        matches: each("match", wire.r#match, request_match)?,
    })
}

pub(super) fn criticality(word: &str) -> Result<Criticality, Fault> {
    Criticality::parse(word).ok_or_else(|| {
        let reason = format!("expected a class known here, found {word:?}");
        Fault::new("criticality", reason)
    })
}

fn early_detection(wire: mesh::EarlyDetection) -> Result<EarlyDetection, Fault> {
    let (background, sheddable) = (wire.shed_background_below, wire.shed_sheddable_below);
    Ok(EarlyDetection {
        shed_background_below_ns: nanoseconds("shedBackgroundBelow", background)?,
        shed_sheddable_below_ns: nanoseconds("shedSheddableBelow", sheddable)?,
    })
}
