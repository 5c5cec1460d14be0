//! The agent: the part of the sidecar that talks to the control plane.
//!
//! What it decides is pure: what to ask for (`subscription`), what to hold (`holdings`, `snapshot`, `archive`), what a
//! resource says (`decode`), where host names lead to (`names`), whom to ask next and after what rest (`rotation`,
//! `backoff`), what is counted already (`record`), what a file holds (`saved`). Around that are the edges: one connection
//! at a time (`link`, `search`, `connection`, `secure`) with its streams (`discovery`, `telemetry`, `spans`, `command`,
//! `registration`),
//! lookups of names (`resolver`), the disk, the sockets that answer on this machine (`admin`, `http`). `assembly`
//! connects them, `departure` ends them, `run` is the whole life on one thread.

mod addresses;
mod admin;
mod application;
mod archive;
mod assembly;
mod backoff;
#[cfg(test)]
mod builders;
mod cgroup;
mod chance;
mod command;
mod connection;
mod decode;
mod departure;
mod descriptors;
mod discovery;
mod disk;
mod doors;
mod encode;
mod error;
mod events;
mod health;
mod holdings;
mod http;
mod identity;
mod link;
mod log;
mod metrics;
mod names;
mod operator;
mod order;
mod process;
mod record;
mod reflection;
mod registration;
mod resolver;
mod resource;
mod rotation;
mod run;
mod saved;
mod saver;
mod search;
mod secure;
mod settings;
mod shared_health;
mod signals;
mod snapshot;
mod spans;
mod status;
mod subscription;
mod telemetry;

pub use backoff::Backoff;
pub use departure::{Drain, OutboundUntil};
pub use error::Error;
pub use log::Level;
pub use order::{OrderError, order_drain};
pub use run::{Outputs, Remote, Summary, run};
pub use settings::{
    Contract, OwnPort, OwnService, Problem, Settings, Trust, parse as parse_settings,
};

/// Version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Messages and services of package `mesh.v1`, generated from `proto/`.
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all)]
pub mod mesh {
    tonic::include_proto!("mesh.v1");
}

/// The part of OTLP that spans need; messages of `mesh` name it by this path.
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all)]
pub mod otlp {
    /// Package `mesh.otlp.v1`.
    pub mod v1 {
        tonic::include_proto!("mesh.otlp.v1");
    }
}
