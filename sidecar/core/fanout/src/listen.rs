//! The socket that clients connect to.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::connection::serve;
use crate::hub::Hub;

/// Connections that wait to be taken: all sidecars of a replica may come back at once.
const BACKLOG: i32 = 4_096;
/// Before another try when there is nothing left to take one with.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that is bound to the first address that takes it; nobody else can have the same. `[::]` is every address of
/// this host, of IPv4 as well.
pub(crate) fn bind(address: &str) -> io::Result<TcpListener> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        match bind_to(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let is_everywhere = address.ip() == Ipv6Addr::UNSPECIFIED;
    let (socket, address) = match socket_for(address) {
        Err(_) if is_everywhere => {
            let address = (Ipv4Addr::UNSPECIFIED, address.port()).into();
            (socket_for(address)?, address)
        }
        socket => (socket?, address),
    };
    if is_everywhere && address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A socket, where the host knows that family of addresses.
fn socket_for(address: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    Socket::new(domain, Type::STREAM, Some(Protocol::TCP))
}

/// Takes connections for as long as it is polled.
pub(crate) async fn accept(
    hub: &Rc<Hub>,
    listener: &tokio::net::TcpListener,
    places: &Arc<Semaphore>,
) {
    while let Ok(place) = Arc::clone(places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let hub = Rc::clone(hub);
                spawn_local(async move {
                    let _place = place;
                    // Without it messages are late, and no less whole.
                    let _ = stream.set_nodelay(true);
                    serve(hub, stream).await;
                });
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}
