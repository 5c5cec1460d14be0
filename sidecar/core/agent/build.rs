//! Compiles the contract in `proto/` with a compiler that is itself a crate.

use std::path::PathBuf;

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
    for file in std::fs::read_dir(sources.join("mesh/v1"))? {
        println!("cargo:rerun-if-changed={}", file?.path().display());
    }
    let descriptors = protox::compile(&files, [&sources])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
