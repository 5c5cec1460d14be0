//! What endpoints are asked how they are.

use policy::health_check::Params;
use proxy::config::{HealthCheck, Probe};

use super::Fault;
use super::read::{duration, nanoseconds, positive};
use crate::mesh;

pub(super) fn decode(wire: mesh::HealthCheck) -> Result<HealthCheck, Fault> {
    Ok(HealthCheck {
        params: Params {
            interval_ns: positive("interval", nanoseconds("interval", wire.interval)?)?,
            unhealthy_after: positive("unhealthyAfter", wire.unhealthy_after)?,
            healthy_after: positive("healthyAfter", wire.healthy_after)?,
        },
        timeout: duration("timeout", wire.timeout)?,
        probers: positive("probers", wire.probers)?,
        probe: probe(wire.http, wire.grpc, wire.tcp)?,
    })
}

fn probe(
    http: Option<mesh::HttpProbe>,
    grpc: Option<mesh::GrpcProbe>,
    tcp: Option<mesh::TcpProbe>,
) -> Result<Probe, Fault> {
    match (http, grpc, tcp) {
        (Some(wire), None, None) => Ok(Probe::Http {
            path: wire.path.into(),
            expect: wire.expect.into_iter().map(Into::into).collect(),
        }),
        (None, Some(wire), None) => Ok(Probe::Grpc {
            service: wire.service.into(),
        }),
        (None, None, Some(_)) => Ok(Probe::Tcp),
        _ => Err(Fault::new("", "expected one of http, grpc and tcp")),
    }
}
