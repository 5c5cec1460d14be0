//! Sockets that listen, for one family of addresses each: what comes over IPv4 never passes for IPv6.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Listeners at `address`; `[::]` is every address of either family that this host has.
///
/// They are not shared: a second one there is a mistake that should show.
///
/// # Errors
/// The address is taken, or no address of this host.
pub fn bind_at(address: SocketAddr) -> io::Result<Vec<TcpListener>> {
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        return bind_both(address);
    }
    listen(address).map(|listener| vec![listener])
}

/// The same, and at the twin of `address` in the other family of addresses; a host may lack one of them.
pub(crate) fn bind_both(address: SocketAddr) -> io::Result<Vec<TcpListener>> {
    let first = listen(address);
    let Some(ip) = twin(address.ip()) else {
        return first.map(|listener| vec![listener]);
    };
    let port = match &first {
        Ok(listener) => listener.local_addr()?.port(),
        Err(_) => address.port(),
    };
    match (first, listen(SocketAddr::new(ip, port))) {
        (Ok(one), Ok(other)) => Ok(vec![one, other]),
        (Ok(only), Err(error)) | (Err(error), Ok(only)) if lacks_family(&error) => Ok(vec![only]),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Where rules lead connections of the other family: they keep the port, and choose all addresses or loopback alike.
fn twin(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Some(Ipv6Addr::UNSPECIFIED.into()),
        IpAddr::V4(Ipv4Addr::LOCALHOST) => Some(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Some(Ipv4Addr::UNSPECIFIED.into()),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => Some(Ipv4Addr::LOCALHOST.into()),
        _ => None,
    }
}

/// Whether the host has no addresses of a family.
fn lacks_family(error: &io::Error) -> bool {
    let codes = [libc::EAFNOSUPPORT, libc::EADDRNOTAVAIL];
    codes.iter().any(|code| error.raw_os_error() == Some(*code))
}

#[cfg(test)]
mod tests;
