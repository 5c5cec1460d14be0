//! A sidecar on a thread of its own, and a control plane that a test plays.

mod control_plane;
mod sidecar;

pub(crate) use control_plane::{ControlPlane, host, inbound, missing, unreadable};
pub(crate) use sidecar::{Directory, Sidecar, eventually, free_address, soon};
