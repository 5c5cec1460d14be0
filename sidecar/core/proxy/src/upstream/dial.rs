//! Connecting, and what it means when that fails.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use policy::Reason;
use policy::ending::Ending;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::listen;

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoConnection {
    /// The cluster has as many as it may.
    NoPlace,
    /// Connecting failed.
    Failed(Ending, Reason),
}

/// A new connection to `address`, within so long.
pub(crate) async fn dial(address: SocketAddr, within: Duration) -> Result<TcpStream, NoConnection> {
    let (ending, reason) = match timeout(within, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => {
            listen::tune(&stream);
            return Ok(stream);
        }
        Ok(Err(error)) if is_exhausted(&error) => (Ending::LocalRefusal, Reason::ProxyLimit),
        Ok(Err(_)) => (Ending::ConnectFailure, Reason::UpstreamConnect),
        Err(_) => (Ending::ConnectTimeout, Reason::TimeoutConnect),
    };
    Err(NoConnection::Failed(ending, reason))
}

/// Whether it is this process or host that has no more to give.
fn is_exhausted(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [
        libc::EMFILE,
        libc::ENFILE,
        libc::EADDRNOTAVAIL,
        libc::ENOBUFS,
        libc::ENOMEM,
    ]
    .iter()
    .any(|exhausted| code == Some(*exhausted))
}
