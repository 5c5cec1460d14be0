//! Bodies of resources to what the proxy enforces, or the field at fault and why. Pure.

mod backpressure;
mod balancing;
mod breaker;
mod endpoints;
mod fallback;
mod fault;
mod groups;
mod health_check;
mod hedge;
mod limits;
mod origins;
mod outbound;
mod outliers;
mod read;
mod resilience;
mod routes;
mod scope;

use std::sync::Arc;

use policy::trace_context::Sampling;
use prost::Message;
use proxy::config::{
    AccessLog, AccessLogMode, Cluster, Inbound, Meaning, Protocol, ServiceName, UnknownDestinations,
};
use sha2::{Digest, Sha256};

use crate::identity::Identity;
use crate::mesh;
use crate::resource::{Kind, Rejection, Resource};
pub(crate) use endpoints::{Address, endpoints_of};
use read::{Under, enumeration, percent};

/// Bytes of a SHA-256 that make a version.
const VERSION_BYTES: usize = 16;

/// What a resource says.
#[derive(Clone, Debug)]
pub(crate) enum Decoded {
    Mesh(MeshSettings),
    /// The service behind a host.
    Host(ServiceName),
    /// What an address means.
    Address(Meaning),
    /// A cluster that has no endpoints yet.
    Outbound(Arc<Cluster>),
    Endpoints(Arc<[Address]>),
    Inbound(Arc<Inbound>),
    /// What our workload stands behind, by port.
    Workload(Arc<[Member]>),
}

/// Settings of the whole mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MeshSettings {
    pub(crate) access_log: AccessLog,
    pub(crate) tracing: Option<Sampling>,
    pub(crate) unknown_destinations: UnknownDestinations,
    /// Services that host names lead to.
    pub(crate) named_services: Vec<ServiceName>,
}

/// A port at which the workload is reached, and a service that it stands behind there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) port: u16,
    pub(crate) service: ServiceName,
    /// Where that service says that it runs.
    pub(crate) zone: Option<String>,
    /// What is spoken there.
    pub(crate) protocol: Protocol,
}

/// What is wrong with a body: the path of the field, empty for the whole, and what was expected and found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    field: String,
    reason: String,
}

impl Fault {
    pub(crate) fn new(field: &str, reason: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            reason: reason.into(),
        }
    }
}

/// What `resource` says to a sidecar of this identity.
pub(crate) fn decode(resource: &Resource, identity: &Identity) -> Result<Decoded, Rejection> {
    check_version(resource)
        .and_then(|()| decode_body(resource, identity))
        .map_err(|fault| Rejection {
            id: resource.id.clone(),
            version: resource.version.clone(),
            field: fault.field,
            reason: fault.reason,
        })
}

fn check_version(resource: &Resource) -> Result<(), Fault> {
    let found = version(&resource.body);
    if found == resource.version {
        return Ok(());
    }
    Err(Fault::new(
        "",
        format!(
            "expected a body of version {}, found {found}",
            resource.version
        ),
    ))
}

/// The version of a body: the first 16 bytes of its SHA-256, in hexadecimal.
pub(crate) fn version(body: &[u8]) -> String {
    Sha256::digest(body)
        .iter()
        .take(VERSION_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn decode_body(resource: &Resource, identity: &Identity) -> Result<Decoded, Fault> {
    let body = resource.body.as_slice();
    match resource.id.kind {
        Kind::Mesh => mesh_settings(&parse(body)?).map(Decoded::Mesh),
        Kind::Host => host(parse(body)?),
        Kind::Outbound => outbound::decode(parse(body)?, identity)
            .map(Arc::new)
            .map(Decoded::Outbound),
        Kind::Endpoints => endpoints::decode(parse(body)?, identity).map(Decoded::Endpoints),
        Kind::Inbound => inbound(parse(body)?).map(Arc::new).map(Decoded::Inbound),
        Kind::Workload => workload(parse(body)?).map(Decoded::Workload),
    }
}

fn parse<M: Message + Default>(body: &[u8]) -> Result<M, Fault> {
    M::decode(body).map_err(|error| Fault::new("", format!("expected an encoded message: {error}")))
}

fn service(wire: Option<mesh::ServiceName>) -> Result<ServiceName, Fault> {
    let name = wire.unwrap_or_default();
    if name.namespace.is_empty() || name.name.is_empty() {
        return Err(Fault::new("service", "expected a namespace and a name"));
    }
    Ok(ServiceName::new(&name.namespace, &name.name))
}

fn host(wire: mesh::HostBinding) -> Result<Decoded, Fault> {
    let service = service(wire.service)?;
    if wire.port == 0 {
        return Ok(Decoded::Host(service));
    }
    Ok(Decoded::Address(Meaning {
        service,
        port: read::port("port", wire.port)?,
        is_endpoint: wire.is_endpoint,
    }))
}

fn mesh_settings(wire: &mesh::MeshSettings) -> Result<MeshSettings, Fault> {
    let unknown = enumeration("unknownDestinations", wire.unknown_destinations)?;
    let unknown_destinations = match unknown {
        mesh::UnknownDestinations::Refuse => UnknownDestinations::Refuse,
        mesh::UnknownDestinations::PassThrough | mesh::UnknownDestinations::Unspecified => {
            UnknownDestinations::PassThrough
        }
    };
    Ok(MeshSettings {
        access_log: access_log(wire)?,
        tracing: wire.tracing.as_ref().map(sampling).transpose()?,
        unknown_destinations,
        named_services: wire
            .named_services
            .iter()
            .cloned()
            .map(|name| service(Some(name)))
            .collect::<Result<_, _>>()?,
    })
}

fn access_log(wire: &mesh::MeshSettings) -> Result<AccessLog, Fault> {
    let Some(log) = &wire.access_log else {
        return Ok(AccessLog::default());
    };
    let mode = match enumeration("mode", log.mode).under("accessLog")? {
        mesh::AccessLogMode::All => AccessLogMode::All,
        mesh::AccessLogMode::None => AccessLogMode::None,
        mesh::AccessLogMode::ErrorsAndSampled | mesh::AccessLogMode::Unspecified => {
            AccessLogMode::ErrorsAndSampled
        }
    };
    let sample = percent("samplePercent", log.sample_percent).under("accessLog")?;
    Ok(AccessLog { mode, sample })
}

fn sampling(wire: &mesh::Tracing) -> Result<Sampling, Fault> {
    let share = percent("samplingPercent", wire.sampling_percent).under("tracing")?;
    Ok(Sampling::new(share))
}

fn inbound(wire: mesh::Inbound) -> Result<Inbound, Fault> {
    let service = service(wire.service)?;
    // No caller's identity is verified without mTLS, so rules for some callers count nobody.
    let for_everybody = wire
        .rate_limits
        .into_iter()
        .enumerate()
        .filter(|(_, rules)| rules.from.is_empty());
    Ok(Inbound {
        service,
        limits: limits::decode(for_everybody)?,
        backpressure: backpressure::front("backpressure", wire.backpressure)?,
        shadow: backpressure::front("shadowBackpressure", wire.shadow_backpressure)?,
        routes: read::each("routes", wire.routes, routes::inbound)?,
        scoped: read::each(
            "routeBackpressure",
            wire.route_backpressure,
            backpressure::scoped,
        )?,
    })
}

fn workload(wire: mesh::Workload) -> Result<Arc<[Member]>, Fault> {
    let members = wire.members.into_iter().enumerate();
    members
        .map(|(index, wire)| member(wire).under(format!("members[{index}]")))
        .collect()
}

/// What is spoken on a port, as far as it matters to whoever passes it on.
fn protocol(field: &str, wire: i32) -> Result<Protocol, Fault> {
    Ok(match enumeration(field, wire)? {
        mesh::Protocol::Unspecified
        | mesh::Protocol::Http
        | mesh::Protocol::Http2
        | mesh::Protocol::Grpc => Protocol::Http,
        mesh::Protocol::Tls | mesh::Protocol::Tcp => Protocol::Opaque,
        mesh::Protocol::Detect => Protocol::Any,
    })
}

fn member(wire: mesh::WorkloadMember) -> Result<Member, Fault> {
    let port = u16::try_from(wire.port).ok().filter(|port| *port > 0);
    let port =
        port.ok_or_else(|| Fault::new("port", format!("expected a port, found {}", wire.port)))?;
    Ok(Member {
        port,
        service: service(wire.service)?,
        protocol: protocol("protocol", wire.protocol)?,
        zone: Some(wire.zone).filter(|zone| !zone.is_empty()),
    })
}

#[cfg(test)]
mod tests;
