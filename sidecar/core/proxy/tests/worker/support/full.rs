//! An address that takes no more connections.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// After so long without one, there are no more connections to be had.
const NO_MORE: Duration = Duration::from_millis(200);

/// A listener that accepts nothing, and whose backlog is full.
pub(crate) struct Full {
    pub(crate) address: SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Full {
    pub(crate) async fn begin() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(connected) = timeout(NO_MORE, TcpStream::connect(address)).await {
            waiting.push(connected.unwrap());
        }
        Self {
            address,
            _listener: listener,
            _waiting: waiting,
        }
    }
}
