//! Compiles the messages of the contract in `proto/`, with a compiler that is itself a crate.

use std::{env, error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let sources = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../../proto");
    println!(
        "cargo:rerun-if-changed={}",
        sources.join("mesh").display()
    );
    let files = ["command", "discovery", "registry", "resource", "telemetry"]
        .map(|name| sources.join(format!("mesh/v1/{name}.proto")));
    let descriptors = protox::compile(files, [&sources])?;
    Ok(prost_build::Config::new()
        .bytes(["mesh.v1.Resource.body"])
        .compile_fds(descriptors)?)
}
