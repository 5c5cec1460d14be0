//! Connections that were accepted.

use std::net::SocketAddr;
use std::rc::Rc;

use tokio::net::TcpStream;

use crate::connections::Place;
use crate::worker::{Entry, Worker};

/// Serves one connection to its end.
pub(crate) async fn serve(
    _worker: Rc<Worker>,
    _stream: TcpStream,
    _peer: SocketAddr,
    _entry: Rc<Entry>,
    _place: Place,
) {
}
