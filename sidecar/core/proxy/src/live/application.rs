//! The workload as a cluster of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::{self, Block, ServiceName};
use crate::worker::Worker;

/// One port, an endpoint for each address, the limits of its service.
pub(super) fn application(
    worker: &Worker,
    apps: &[SocketAddr],
    service: &ServiceName,
    inbound: Option<&Arc<config::Inbound>>,
) -> Arc<config::Cluster> {
    let timeouts = config::Timeouts {
        connect: config::APPLICATION_CONNECT,
        ..Default::default()
    };
    let endpoint = |app: &SocketAddr| config::Endpoint {
        instance: Arc::clone(&worker.instance),
        addresses: vec![Some(*app)],
        has_sidecar: false,
        is_near: false,
        weight: 1,
        group: None,
    };
    let port = config::Port {
        name: "app".into(),
        number: apps.first().map_or(0, SocketAddr::port),
        protocol: config::Protocol::Http,
    };
    Arc::new(config::Cluster {
        timeouts: Some(Block {
            params: timeouts,
            policy: None,
        }),
        limits: inbound
            .map(|inbound| inbound.limits.clone())
            .unwrap_or_default(),
        endpoints: apps.iter().map(endpoint).collect(),
        ..config::Cluster::bare(service.clone(), vec![port])
    })
}
