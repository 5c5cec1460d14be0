//! Where connections come in.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::name::ServiceName;
use crate::report::Direction;
use crate::stages::Refusal;

/// Where a connection came in, which decides what becomes of its requests.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// From others, to the port of the workload that this listener stands for.
    Inbound { place: usize },
    /// From the workload, to the service that each request names.
    Outbound,
    /// From the workload, to one port of one service, without one to 80 or the only one; to one endpoint `only`, if it
    /// chose that itself.
    Upstream {
        service: ServiceName,
        port: Option<u16>,
        only: Option<SocketAddr>,
    },
    /// From others, led here on their way to the application at this address.
    Application {
        address: SocketAddr,
        /// Why requests are refused over it, but for those on which nothing is enforced.
        refused: Option<Arc<Refusal>>,
    },
}

impl Entry {
    /// The only endpoint that will do: the caller chose it by its address.
    pub(crate) const fn only(&self) -> Option<SocketAddr> {
        match self {
            Self::Upstream { only, .. } => *only,
            Self::Application { address, .. } => Some(*address),
            _ => None,
        }
    }

    /// What is served over it, if anything is.
    pub(crate) fn admits(&self) -> Result<(), Refusal> {
        match self {
            Self::Application {
                refused: Some(refusal),
                ..
            } => Err((**refusal).clone()),
            _ => Ok(()),
        }
    }

    pub(crate) const fn direction(&self) -> Direction {
        match self {
            Self::Inbound { .. } | Self::Application { .. } => Direction::Inbound,
            Self::Outbound | Self::Upstream { .. } => Direction::Outbound,
        }
    }
}
