//! What the worker and the agent tell, as messages. Pure.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use policy::breaker::{Counts, State};
use policy::outlier::Cause;
use policy::rate_limit::Rate;
use prost_types::Timestamp;
use proxy::config::{PolicyRef, RouteMirror, ServiceName};
use proxy::report;

use crate::mesh;
use crate::names::HostStatus;

pub(crate) fn service(name: &ServiceName) -> mesh::ServiceName {
    mesh::ServiceName {
        namespace: name.namespace().to_owned(),
        name: name.name().to_owned(),
    }
}

pub(crate) fn caller_count(
    (service_called, live_callers): &(ServiceName, u32),
) -> mesh::CallerCount {
    mesh::CallerCount {
        service: Some(service(service_called)),
        live_callers: *live_callers,
    }
}

/// The services called and how many sidecars call them; what names no service is left out.
pub(crate) fn decode_callers(counts: Vec<mesh::CallerCount>) -> Vec<(ServiceName, u32)> {
    let decode = |count: mesh::CallerCount| {
        let name = count.service?;
        Some((
            ServiceName::new(&name.namespace, &name.name),
            count.live_callers.max(1),
        ))
    };
    let mut callers: Vec<_> = counts.into_iter().filter_map(decode).collect();
    callers.sort();
    callers
}

/// The service that a question is limited to; `None`: all.
pub(crate) fn decode_service(wire: Option<mesh::ServiceName>) -> Option<ServiceName> {
    let name = wire.filter(|name| !name.name.is_empty())?;
    Some(ServiceName::new(&name.namespace, &name.name))
}

pub(crate) fn policy_ref(policy: &PolicyRef) -> mesh::PolicyRef {
    mesh::PolicyRef {
        kind: policy.kind.to_string(),
        namespace: policy.namespace.to_string(),
        name: policy.name.to_string(),
        generation: policy.generation,
    }
}

pub(crate) fn timestamp(at: SystemTime) -> Timestamp {
    at.into()
}

fn duration(length: Duration) -> Option<prost_types::Duration> {
    length.try_into().ok()
}

pub(crate) fn family(family: &report::Family) -> mesh::MetricFamily {
    let kind = match family.kind {
        report::MetricKind::Counter => mesh::MetricType::Counter,
        report::MetricKind::Gauge => mesh::MetricType::Gauge,
        report::MetricKind::Histogram => mesh::MetricType::Histogram,
    };
    mesh::MetricFamily {
        name: family.name.to_owned(),
        r#type: kind.into(),
        labels: family
            .labels
            .iter()
            .map(|&label| label.to_owned())
            .collect(),
        bounds: family.bounds.to_vec(),
        points: family.points.iter().map(point).collect(),
    }
}

fn point(point: &report::Point) -> mesh::MetricPoint {
    mesh::MetricPoint {
        labels: point
            .labels
            .iter()
            .map(|label| label.clone().into_owned())
            .collect(),
        value: point.value,
        buckets: point.buckets.clone(),
    }
}

pub(crate) const fn state(state: State) -> mesh::BreakerState {
    match state {
        State::Closed => mesh::BreakerState::Closed,
        State::Open => mesh::BreakerState::Open,
        State::HalfOpen => mesh::BreakerState::HalfOpen,
        State::ForcedOpen => mesh::BreakerState::ForcedOpen,
        State::ForcedClosed => mesh::BreakerState::ForcedClosed,
        State::Disabled => mesh::BreakerState::Disabled,
    }
}

pub(crate) fn breaker(status: &report::BreakerStatus) -> mesh::BreakerStatus {
    let Counts {
        calls,
        failures,
        slow,
        consecutive_failures,
    } = status.counts;
    mesh::BreakerStatus {
        service: Some(service(&status.service)),
        endpoint: status.endpoint.as_deref().unwrap_or_default().to_owned(),
        state: state(status.state).into(),
        calls,
        failures,
        slow,
        consecutive_failures,
        remaining: status.remaining.and_then(duration),
        changed_at: status.changed_at.map(timestamp),
        policy: status.policy.as_deref().map(policy_ref),
        route: status.route.as_deref().unwrap_or_default().to_owned(),
    }
}

pub(crate) fn limit(status: &report::LimitStatus) -> mesh::LimitStatus {
    let per = |rate: Rate| duration(Duration::from_nanos(rate.per_ns()));
    mesh::LimitStatus {
        service: Some(service(&status.service)),
        policy: Some(policy_ref(&status.policy)),
        limit: status.limit.to_string(),
        route: status.route.as_deref().unwrap_or_default().to_owned(),
        capacity: status.capacity,
        remaining: status.remaining,
        keys: status.keys,
        allowed: status.allowed,
        limited: status.limited,
        exempt: status.exempt,
        shadow: status.shadow,
        requests: status.rate.map_or(0, |rate| rate.requests()),
        per: status.rate.and_then(per),
    }
}

pub(crate) fn endpoint(status: &report::EndpointStatus) -> mesh::EndpointStatus {
    let health = status.health;
    let others = health.map(|health| health.others).unwrap_or_default();
    mesh::EndpointStatus {
        service: Some(service(&status.service)),
        instance: status.instance.to_string(),
        address: status.address.to_string(),
        ready: status.ready,
        in_flight: status.in_flight,
        latency: duration(status.latency),
        idle_connections: status.idle_connections,
        weight: status.weight,
        group: status.group.as_deref().unwrap_or_default().to_owned(),
        outlier: status.outlier.map_or("", Cause::as_str).to_owned(),
        returns_in: status.returns_in.and_then(duration),
        share: f64::from(status.share.millionths()) / 10_000.0,
        health: health
            .map_or("", |health| health.verdict.as_str())
            .to_owned(),
        probed_here: health.is_some_and(|health| health.is_probed_here),
        others_healthy: others.healthy,
        others_unhealthy: others.unhealthy,
        breaker: status.breaker.map(|(at, _)| state(at).into()),
        breaker_remaining: status.breaker.and_then(|(_, left)| duration(left?)),
    }
}

pub(crate) fn route(status: &report::RouteStatus) -> mesh::RouteStatus {
    mesh::RouteStatus {
        direction: direction(status.direction).into(),
        service: Some(service(&status.service)),
        route: Some(policy_ref(&status.route)),
        rule: status.rule.to_string(),
        ports: status.ports.iter().copied().map(Into::into).collect(),
        matches: status.matches.clone(),
        backends: status.backends.iter().map(backend).collect(),
        mirrors: status.mirrors.iter().map(mirror).collect(),
    }
}

fn backend(status: &report::BackendStatus) -> mesh::RouteBackendStatus {
    let policy = |it: &report::BlockPolicy| mesh::BlockPolicy {
        block: it.block.to_owned(),
        policy: Some(policy_ref(&it.policy)),
        is_shadow: it.is_shadow,
    };
    mesh::RouteBackendStatus {
        service: status.service.as_ref().map(service),
        port: status.port.unwrap_or_default().into(),
        weight: status.weight,
        is_held: status.is_held,
        policies: status.policies.iter().map(policy).collect(),
    }
}

fn mirror(mirror: &RouteMirror) -> mesh::RouteMirror {
    mesh::RouteMirror {
        service: Some(service(&mirror.service)),
        port: mirror.port.into(),
        numerator: mirror.numerator,
        denominator: mirror.denominator,
    }
}

/// How a host name stands now.
pub(crate) fn host(of: &ServiceName, status: &HostStatus) -> mesh::HostStatus {
    let until = |at: Instant| at.saturating_duration_since(Instant::now());
    mesh::HostStatus {
        service: Some(service(of)),
        host: status.host.to_string(),
        addresses: status.addresses.iter().map(IpAddr::to_string).collect(),
        age: status.confirmed_at.and_then(|at| duration(at.elapsed())),
        failure: status.failure.clone().unwrap_or_default(),
        failures: status.failures,
        next: status.due.and_then(|at| duration(until(at))),
        refused: status.refused.clone(),
    }
}

pub(crate) fn decision(decision: &report::Decision) -> mesh::Decision {
    mesh::Decision {
        at: Some(timestamp(decision.at)),
        direction: direction(decision.direction).into(),
        service: decision.service.as_ref().map(service),
        reason: decision.reason.as_str().to_owned(),
        policy: decision.policy.as_deref().map(policy_ref),
        limit: decision.limit.as_deref().unwrap_or_default().to_owned(),
        status: decision.status.into(),
    }
}

const fn direction(direction: report::Direction) -> mesh::Direction {
    match direction {
        report::Direction::Inbound => mesh::Direction::Inbound,
        report::Direction::Outbound => mesh::Direction::Outbound,
    }
}

pub(crate) fn explanation(explanation: &report::Explanation) -> mesh::ExplainRequestResponse {
    let refusal = explanation.refusal;
    mesh::ExplainRequestResponse {
        steps: explanation.steps.iter().map(step).collect(),
        forwarded: refusal.is_none(),
        reason: refusal
            .map(|(reason, _)| reason.as_str().to_owned())
            .unwrap_or_default(),
        status: refusal.map(|(_, status)| status.into()).unwrap_or_default(),
    }
}

fn step(step: &report::Step) -> mesh::ExplainStep {
    mesh::ExplainStep {
        stage: step.stage.to_owned(),
        text: step.text.clone(),
        refuses: step.refuses,
        policy: step.policy.as_deref().map(policy_ref),
    }
}

pub(crate) fn event(event: &report::Event) -> mesh::Event {
    let mut wire = mesh::Event {
        at: Some(timestamp(event.at)),
        service: Some(service(&event.service)),
        endpoint: event.endpoint.as_deref().unwrap_or_default().to_owned(),
        ..mesh::Event::default()
    };
    match &event.kind {
        report::EventKind::Breaker {
            from,
            to,
            reason,
            counts,
            route,
        } => {
            wire.kind = "breaker".to_owned();
            wire.route = route.as_deref().unwrap_or_default().to_owned();
            wire.set_from(state(*from));
            wire.set_to(state(*to));
            wire.reason = (*reason).to_owned();
            (wire.calls, wire.failures) = (counts.calls, counts.failures);
            (wire.slow, wire.consecutive_failures) = (counts.slow, counts.consecutive_failures);
        }
        report::EventKind::Outlier { cause } => {
            wire.kind = "outlier".to_owned();
            wire.reason = cause.map_or("returned", Cause::as_str).to_owned();
        }
        report::EventKind::Health { is_healthy } => {
            wire.kind = "health".to_owned();
            wire.reason = if *is_healthy { "healthy" } else { "unhealthy" }.to_owned();
        }
        report::EventKind::Group { name, is_empty } => {
            wire.kind = "group".to_owned();
            let change = if *is_empty { "emptied" } else { "refilled" };
            wire.reason = format!("{name} {change}");
        }
        report::EventKind::Panic { began } => {
            wire.kind = "panic".to_owned();
            wire.reason = if *began { "began" } else { "ended" }.to_owned();
        }
        report::EventKind::Override { to, route } => {
            wire.kind = "override".to_owned();
            wire.route = route.as_deref().unwrap_or_default().to_owned();
            wire.set_to(state(*to));
        }
    }
    wire
}
