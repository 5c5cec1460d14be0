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
    Arc::new(config::Cluster {
        service: service.clone(),
        ports: vec![config::Port {
            name: "app".into(),
            number: apps.first().map_or(0, SocketAddr::port),
            protocol: config::Protocol::Http,
        }],
        idempotent_methods: Vec::new(),
        timeouts: Some(Block {
            params: timeouts,
            policy: None,
        }),
        retry: None,
        hedge: None,
        service_breaker: None,
        endpoint_breaker: None,
        outliers: None,
        balancing: None,
        admission: None,
        groups: None,
        health_check: None,
        bulkhead: None,
        pool: None,
        fallback: None,
        shadow: None,
        limits: inbound
            .map(|inbound| inbound.limits.clone())
            .unwrap_or_default(),
        faults: Vec::new(),
        routes: Vec::new(),
        endpoints: apps.iter().map(endpoint).collect(),
    })
}
