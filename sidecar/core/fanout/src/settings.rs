//! What the control plane says about its front.

use std::path::PathBuf;
use std::time::Duration;

/// How the front listens, and where it leads.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Host and port to listen on.
    pub address: String,
    /// The path of the calls that end here.
    pub path: String,
    /// The socket of the servers that answer every other call.
    pub backend: PathBuf,
    /// How long connections are kept.
    pub lifetimes: Lifetimes,
    /// Connections at once; whoever comes then waits in the backlog.
    pub connections: u32,
}

/// How long connections are kept: a client is asked to leave at `age`, give or take a tenth, and cut `age_grace` later.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// From the handshake on.
    pub age: Duration,
    /// For those that were asked.
    pub age_grace: Duration,
    /// All are cut when the control plane does not beat for as long.
    pub standstill: Duration,
}
