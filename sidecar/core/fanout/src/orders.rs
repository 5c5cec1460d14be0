//! What the control plane tells the front.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::sign::CertifiedKey;

use crate::inbox::StreamId;
use crate::status::Status;

/// One order; those for streams that are gone concern nobody.
#[derive(Debug)]
pub(crate) enum Order {
    /// Tell the client that it is connected.
    Accept(StreamId),
    /// Send the same message to all of these.
    Send(Vec<StreamId>, Bytes),
    /// End a stream.
    End(StreamId, Status),
    /// The inbox was emptied, for which somebody waited.
    Taken,
    /// Show another certificate from now on.
    Show(Arc<CertifiedKey>),
    /// Ask everybody to leave, and end after so long at most.
    Stop(Duration),
}
