//! Where sidecars connect to the control plane.
//!
//! One thread carries every connection. Streams of discovery end here: their messages are handed to the control plane
//! in batches, and what it says to many of them is told once, whatever their number. Every other call is relayed
//! to the control plane's other servers, on a private socket. What is decided is decided there.

mod backend;
mod connection;
mod error;
mod flood;
mod hub;
mod inbox;
mod listen;
mod message;
mod orders;
mod outbox;
mod relay;
mod room;
mod running;
mod settings;
mod status;
mod stream;
mod tls;
mod vigil;
mod wire;

pub use error::Error;
pub use inbox::{Event, StreamId, What};
pub use running::{Running, start};
pub use settings::{Lifetimes, Settings};
