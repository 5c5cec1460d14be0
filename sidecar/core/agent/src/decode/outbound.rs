//! How callers treat a service: the first variant for this sidecar's identity, as a cluster without endpoints.

use std::sync::Arc;

use proxy::config::{Cluster, Port, RouteSettings};

use super::origins::Origins;
use super::read::{Under, each, port};
use super::{
    Fault, balancing, breaker, fallback, fault, groups, health_check, hedge, limits, outliers,
    protocol, resilience, routes, service,
};
use crate::identity::Identity;
use crate::mesh;

pub(super) fn decode(wire: mesh::Outbound, identity: &Identity) -> Result<Cluster, Fault> {
    let service = service(wire.service)?;
    let ports = each("ports", wire.ports, service_port)?;
    let mut cluster = Cluster {
        idempotent_methods: wire
            .idempotent_methods
            .into_iter()
            .map(Into::into)
            .collect(),
        limits: limits::decode(own(wire.rate_limits, |rules| &rules.from, identity))?,
        faults: fault::decode(own(wire.faults, |rules| &rules.from, identity), identity)?,
        ..Cluster::bare(service, ports)
    };
    let bare = cluster.clone();
    let settings = |variants| Ok(settings(fill(bare.clone(), variants, identity)?));
    cluster.routes = governing(wire.routes, identity)
        .map(|(index, rule)| routes::decode(rule, settings).under(format!("routes[{index}]")))
        .collect::<Result<_, _>>()?;
    fill(cluster, wire.variants, identity)
}

/// What of a cluster a rule of a route may say.
fn settings(cluster: Cluster) -> RouteSettings {
    RouteSettings {
        timeouts: cluster.timeouts,
        retry: cluster.retry,
        hedge: cluster.hedge,
        service_breaker: cluster.service_breaker,
        admission: cluster.admission,
        bulkhead: cluster.bulkhead,
        fallback: cluster.fallback,
        shadow: cluster.shadow.map(without_ports),
    }
}

/// Endpoints are a matter of the service.
fn without_ports(shadow: Arc<Cluster>) -> Arc<Cluster> {
    Arc::new(Cluster {
        ports: Vec::new(),
        ..Cluster::clone(&shadow)
    })
}

/// A cluster with the first variant for this sidecar's identity.
fn fill(
    mut cluster: Cluster,
    variants: Vec<mesh::OutboundVariant>,
    identity: &Identity,
) -> Result<Cluster, Fault> {
    let matches = |variant: &mesh::OutboundVariant| {
        variant
            .caller
            .as_ref()
            .is_none_or(|caller| identity.is(caller))
    };
    let mut variants = variants.into_iter().enumerate();
    let found = variants.find(|(_, variant)| matches(variant));
    let (index, mut variant) = found.ok_or_else(nobody)?;
    let bare = cluster.clone();
    let shadowed = shadow(bare, &mut variant).under(format!("variants[{index}].shadow"))?;
    fill_in(&mut cluster, variant).under(format!("variants[{index}].resilience"))?;
    cluster.shadow = shadowed.map(|shadow| Arc::new(at_ports_of(&cluster, shadow)));
    Ok(cluster)
}

/// The same service if policies in shadow acted too: what only counts calls, and shares no bulkhead.
fn shadow(bare: Cluster, variant: &mut mesh::OutboundVariant) -> Result<Option<Cluster>, Fault> {
    let origins = std::mem::take(&mut variant.shadow_origins);
    let Some(settings) = variant.shadow.take() else {
        return Ok(None);
    };
    let mut cluster = Cluster {
        limits: Vec::new(),
        faults: Vec::new(),
        routes: Vec::new(),
        ..bare
    };
    let wire = mesh::OutboundVariant {
        resilience: Some(settings),
        origins,
        ..Default::default()
    };
    fill_in(&mut cluster, wire)?;
    if let Some(block) = &mut cluster.bulkhead {
        block.params.shared = None;
    }
    Ok(Some(cluster))
}

/// What is in shadow, with endpoints of its own where it would choose among them by other rules.
fn at_ports_of(acting: &Cluster, shadow: Cluster) -> Cluster {
    if shadow.chooses_as(acting) {
        return Cluster {
            ports: Vec::new(),
            ..shadow
        };
    }
    shadow
}

fn nobody() -> Fault {
    Fault::new(
        "variants",
        "expected one for any caller, found none that matches",
    )
}

fn service_port(wire: mesh::ServicePort) -> Result<Port, Fault> {
    Ok(Port {
        name: wire.name.into(),
        number: port("port", wire.port)?,
        protocol: protocol("protocol", wire.protocol)?,
    })
}

/// The rules for callers of this identity, or for everybody, with their places.
fn own<T>(
    rules: Vec<T>,
    callers: fn(&T) -> &Vec<mesh::CallerMatch>,
    identity: &Identity,
) -> impl Iterator<Item = (usize, T)> {
    let counts = move |rules: &T| {
        let callers = callers(rules);
        callers.is_empty() || callers.iter().any(|caller| identity.is(caller))
    };
    rules
        .into_iter()
        .enumerate()
        .filter(move |(_, rules)| counts(rules))
}

/// The rules for our calls, with their places: those that speak of us, where some do, else those for everybody.
fn governing(
    rules: Vec<mesh::RouteRule>,
    identity: &Identity,
) -> impl Iterator<Item = (usize, mesh::RouteRule)> {
    let are_ours = |rule: &mesh::RouteRule| {
        let caller = rule.caller.as_ref();
        caller.is_some_and(|caller| identity.is(caller))
    };
    let has_ours = rules.iter().any(are_ours);
    let counts = move |rule: &mesh::RouteRule| {
        if has_ours {
            are_ours(rule)
        } else {
            rule.caller.is_none()
        }
    };
    rules
        .into_iter()
        .enumerate()
        .filter(move |(_, rule)| counts(rule))
}

fn fill_in(cluster: &mut Cluster, variant: mesh::OutboundVariant) -> Result<(), Fault> {
    let origins = Origins(&variant.origins);
    let Some(wire) = variant.resilience else {
        return Ok(());
    };
    cluster.timeouts = origins.block("timeouts", wire.timeouts, |wire, _| {
        resilience::timeouts(wire)
    })?;
    cluster.retry = origins.block("retry", wire.retry, |wire, _| resilience::retry(wire))?;
    let hedge = wire.hedge.filter(|wire| wire.max != Some(0));
    cluster.hedge = origins.block("hedge", hedge, |wire, _| hedge::decode(wire))?;
    cluster.bulkhead = origins.block("bulkhead", wire.bulkhead, |wire, _| {
        resilience::bulkhead(wire)
    })?;
    cluster.pool = origins.block("connectionPool", wire.connection_pool, |wire, _| {
        resilience::pool(wire)
    })?;
    let breakers = wire.breaker.unwrap_or_default();
    cluster.service_breaker = origins.block("breaker.service", breakers.service, |wire, _| {
        breaker::decode(wire)
    })?;
    cluster.endpoint_breaker =
        origins.block("breaker.endpoint", breakers.endpoint, |wire, _| {
            breaker::decode(wire)
        })?;
    let failures = breaker::failures_of(cluster);
    cluster.outliers = origins.block("outlierDetection", wire.outlier_detection, |wire, _| {
        outliers::decode(wire, failures)
    })?;
    cluster.balancing = origins.block("loadBalancing", wire.load_balancing, |wire, _| {
        balancing::decode(wire)
    })?;
    cluster.admission = origins.block("admissionControl", wire.admission_control, |wire, _| {
        resilience::admission(&wire)
    })?;
    cluster.groups = origins.block("instanceGroups", wire.instance_groups, |wire, _| {
        groups::decode(wire)
    })?;
    cluster.health_check = origins.block("healthCheck", wire.health_check, |wire, _| {
        health_check::decode(wire)
    })?;
    cluster.fallback =
        origins.block("fallback", wire.fallback, |wire, _| fallback::decode(wire))?;
    Ok(())
}
