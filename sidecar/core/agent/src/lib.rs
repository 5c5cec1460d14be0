//! The sidecar's own streams: discovery, telemetry, commands, registration, last good configuration.

/// Messages and services of package `mesh.v1`, generated from `proto/`.
#[allow(missing_docs, clippy::all)]
pub mod mesh {
    tonic::include_proto!("mesh.v1");
}
