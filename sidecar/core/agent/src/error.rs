//! Why a sidecar does not run.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use proxy::{Ended, StartError};

/// Why a sidecar did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The event loop, a thread or a signal could not be had.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    /// The address of the pages could not be had.
    #[error("cannot listen on --http {address}: {source}")]
    Http {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The socket could not be had.
    #[error("cannot listen on --admin unix:{}: {source}", path.display())]
    Admin {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The worker could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The worker ended by itself.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// A task of the agent ended by itself.
    #[error("a task of the agent has ended")]
    Task,
}
