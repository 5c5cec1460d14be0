//! The doors of a worker: where it listens, and what those are taken for who come in there.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;

use crate::bind;
use crate::handle::Addresses;
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

impl Purpose {
    /// Which way what comes in there goes.
    pub(crate) fn direction(&self) -> Direction {
        match self {
            Self::Meant(entry) => entry.direction(),
            Self::Captured { direction, .. } => *direction,
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
        self.admit(address, bind::bind_at(address), purpose)
    }

    /// Opens a door of a direction that may be captured, for both families of addresses if it is.
    fn capture(
        &mut self,
        address: SocketAddr,
        direction: Direction,
        meant: Option<Entry>,
    ) -> Result<SocketAddr, StartError> {
        match meant {
            Some(entry) if !self.is_captured => self.open(address, Purpose::Meant(entry)),
            meant => {
                let purpose = Purpose::Captured { direction, meant };
                self.admit(address, bind::bind_both(address), purpose)
            }
        }
    }

    /// Takes the doors up that are meant by `address`; tells where the first of them is.
    fn admit(
        &mut self,
        address: SocketAddr,
        listeners: io::Result<Vec<TcpListener>>,
        purpose: Purpose<Entry>,
    ) -> Result<SocketAddr, StartError> {
        let failed = |source| StartError::Listen { address, source };
        let listeners = listeners.map_err(failed)?;
        let bound = listeners.first().map(TcpListener::local_addr);
        let doors = listeners.into_iter();
        self.doors
            .extend(doors.map(|listener| (listener, purpose.clone())));
        bound.map_or(Ok(address), |bound| bound.map_err(failed))
    }
}
