//! Connecting, and what it means when that fails.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use policy::Reason;
use policy::ending::Ending;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::close_oldest;
use crate::listen;
use crate::worker::Worker;

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoConnection {
    /// The cluster has as many as it may.
    NoPlace,
    /// Connecting failed.
    Failed(Ending, Reason),
}

/// A new connection to `address`, within so long.
pub(crate) async fn dial(
    worker: &Worker,
    address: SocketAddr,
    within: Duration,
) -> Result<TcpStream, NoConnection> {
    let connecting = async { socket(worker, address)?.connect(address).await };
    let (ending, reason) = match timeout(within, connecting).await {
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

/// A socket for a connection to `address`; where descriptors are short, the longest resting connection makes room.
fn socket(worker: &Worker, address: SocketAddr) -> io::Result<TcpSocket> {
    for _ in 0..2 {
        let socket = open(address)?;
        if worker.descriptors.admit(&socket) {
            return Ok(socket);
        }
        drop(socket);
        close_oldest(worker);
    }
    worker.descriptors.count_missed();
    Err(io::Error::from_raw_os_error(libc::EMFILE))
}

fn open(address: SocketAddr) -> io::Result<TcpSocket> {
    match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
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
