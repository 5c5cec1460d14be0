//! Server reflection on the socket, so that tools such as grpcurl need no files: v1alpha, which all of them speak.

use tonic_reflection::server::v1alpha::{ServerReflection, ServerReflectionServer};
use tonic_reflection::server::{Builder, Error};

/// The contract of the socket with all that it imports, as `build.rs` compiled it.
const CONTRACT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sidecar_admin.bin"));

/// What tells about the services named, health and itself.
pub(crate) fn service(
    served: &str,
) -> Result<ServerReflectionServer<impl ServerReflection>, Error> {
    Builder::configure()
        .register_encoded_file_descriptor_set(CONTRACT)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name(served)
        .with_service_name("grpc.health.v1.Health")
        .with_service_name("grpc.reflection.v1alpha.ServerReflection")
        .build_v1alpha()
}
