//! Compiles the contract in `proto/` with a compiler that is itself a crate.

use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sources = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../../proto");
    let files = [
        "command",
        "discovery",
        "registry",
        "resource",
        "sidecar_admin",
        "telemetry",
    ]
    .map(|name| sources.join(format!("mesh/v1/{name}.proto")));
    for package in ["mesh/v1", "mesh/otlp/v1"] {
        for file in std::fs::read_dir(sources.join(package))? {
            println!("cargo:rerun-if-changed={}", file?.path().display());
        }
    }
    let descriptors = protox::compile(&files, [&sources])?;
    tonic_prost_build::configure()
        .build_transport(false) // `connection` is our own
        .compile_fds(descriptors)?;
    describe_admin(&sources)
}

/// Writes what reflection tells about the admin socket, without the comments.
fn describe_admin(sources: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut compiler = protox::Compiler::new([sources])?;
    compiler.include_source_info(false).include_imports(true);
    compiler.open_file(sources.join("mesh/v1/sidecar_admin.proto"))?;
    let target = Path::new(&std::env::var("OUT_DIR")?).join("sidecar_admin.bin");
    Ok(std::fs::write(
        target,
        compiler.encode_file_descriptor_set(),
    )?)
}
