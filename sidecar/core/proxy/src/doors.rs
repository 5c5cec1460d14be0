//! The doors of a worker: where it listens, and what those are taken for who come in there.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::rc::Rc;

use crate::handle::Addresses;
use crate::listen;
use crate::report::Direction;
use crate::settings::{Settings, StartError};
use crate::worker::Entry;

/// What a door is for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose<E = Rc<Entry>> {
    /// Whoever connects means to.
    Meant(E),
    /// Rules of the system lead connections here; whoever means to connect comes for `meant`, if for anything.
    Captured {
        direction: Direction,
        meant: Option<E>,
    },
}

impl Purpose<Entry> {
    /// The same, on the thread that it stays on.
    pub(crate) fn settle(self) -> Purpose {
        match self {
            Self::Meant(entry) => Purpose::Meant(Rc::new(entry)),
            Self::Captured { direction, meant } => Purpose::Captured {
                direction,
                meant: meant.map(Rc::new),
            },
        }
    }
}

/// A listener and what it is for.
pub(crate) type Door<L = TcpListener> = (L, Purpose<Entry>);

/// Opens every door; tells where they are.
pub(crate) fn open(settings: &Settings) -> Result<(Vec<Door>, Addresses), StartError> {
    let mut opening = Opening {
        doors: Vec::new(),
        is_captured: settings.captured.is_some(),
    };
    let mut addresses = Addresses::default();
    for (place, port) in settings.inbound.iter().enumerate() {
        let entry = Entry::Inbound { place };
        let address = if settings.captured == Some(port.listen) {
            opening.capture(port.listen, Direction::Inbound, Some(entry))?
        } else {
            opening.open(port.listen, Purpose::Meant(entry))?
        };
        addresses.inbound.push(address);
    }
    if let Some(address) = settings.captured
        && settings.inbound.iter().all(|port| port.listen != address)
    {
        addresses.captured = Some(opening.capture(address, Direction::Inbound, None)?);
    }
    if let Some(address) = settings.outbound {
        let entry = Some(Entry::Outbound);
        addresses.outbound = Some(opening.capture(address, Direction::Outbound, entry)?);
    }
    for upstream in &settings.upstreams {
        let entry = Entry::Upstream {
            service: upstream.service.clone(),
            port: Some(upstream.port),
            only: None,
        };
        let address = opening.open(upstream.listen, Purpose::Meant(entry))?;
        addresses.upstreams.push(address);
    }
    Ok((opening.doors, addresses))
}

/// The doors opened by now.
struct Opening {
    doors: Vec<Door>,
    is_captured: bool,
}

impl Opening {
    fn open(
        &mut self,
        address: SocketAddr,
        purpose: Purpose<Entry>,
    ) -> Result<SocketAddr, StartError> {
        let listener = listen::bind(address)?;
        let bound = bound(&listener, address)?;
        self.doors.push((listener, purpose));
        Ok(bound)
    }

    /// Opens a door of a direction that may be captured, for both families of addresses if it is.
    fn capture(
        &mut self,
        address: SocketAddr,
        direction: Direction,
        meant: Option<Entry>,
    ) -> Result<SocketAddr, StartError> {
        let purpose = match meant {
            Some(entry) if !self.is_captured => {
                return self.open(address, Purpose::Meant(entry));
            }
            meant => Purpose::Captured { direction, meant },
        };
        let listener = listen::bind_alone(address)?;
        let bound = bound(&listener, address)?;
        self.doors.push((listener, purpose.clone()));
        if let Some(twin) = twin(bound) {
            match listen::bind_alone(twin) {
                Ok(listener) => self.doors.push((listener, purpose)),
                Err(StartError::Listen { source, .. }) if lacks_family(&source) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bound)
    }
}

fn bound(listener: &TcpListener, address: SocketAddr) -> Result<SocketAddr, StartError> {
    listener
        .local_addr()
        .map_err(|source| StartError::Listen { address, source })
}

/// Where rules lead connections of the other family: they keep the port, and choose all addresses or loopback alike.
fn twin(address: SocketAddr) -> Option<SocketAddr> {
    let ip: IpAddr = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv6Addr::UNSPECIFIED.into(),
        IpAddr::V4(Ipv4Addr::LOCALHOST) => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => Ipv4Addr::LOCALHOST.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, address.port()))
}

/// Whether the host has no addresses of a family.
fn lacks_family(error: &io::Error) -> bool {
    let codes = [libc::EAFNOSUPPORT, libc::EADDRNOTAVAIL];
    codes.iter().any(|code| error.raw_os_error() == Some(*code))
}
