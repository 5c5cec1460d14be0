//! Connections that were accepted: which protocol they speak, and whoever serves it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, ready};

use tokio::net::TcpStream;

use crate::alarm::Alarm;
use crate::connections::Place;
use crate::h1::Client;
use crate::h2;
use crate::request::Sender;
use crate::wire::Wire;
use crate::worker::{Entry, Worker};

/// What every HTTP/2 connection begins with (RFC 9113 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Time for the first bytes.
const DETECT_NS: u64 = 60_000_000_000;

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
    /// Nothing came.
    None,
}

/// Serves one connection to its end.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    stream: TcpStream,
    peer: SocketAddr,
    entry: Rc<Entry>,
    place: Place,
) {
    let mut wire = Wire::new(stream);
    let sender = Sender {
        address: peer.ip(),
        connection: place.number(),
    };
    match detect(&worker, &mut wire, &place).await {
        Protocol::Http1 => {
            let mut client = Client::new(worker, wire, entry, sender, place);
            client.serve().await;
        }
        // Apart, so that a connection of HTTP/1.1 does not pay for what this one holds.
        Protocol::Http2 => Box::pin(h2::serve(worker, wire, entry, sender, place)).await,
        Protocol::None => {}
    }
}

/// Reads until the first bytes tell one protocol from the other; they stay as input.
async fn detect(worker: &Worker, wire: &mut Wire, place: &Place) -> Protocol {
    let until_ns = worker.clock.now_ns().saturating_add(DETECT_NS);
    let mut alarm = Alarm::default();
    std::future::poll_fn(|cx| {
        loop {
            if worker.connections.is_draining() {
                return Poll::Ready(Protocol::None);
            }
            match wire.poll_fill(cx, &worker.memory, PREFACE.len().max(16 * 1024)) {
                Poll::Ready(Ok(1..))
                    if PREFACE.starts_with(&wire.input) && wire.input.len() < PREFACE.len() => {}
                Poll::Ready(Ok(1..)) if wire.input.starts_with(PREFACE) => {
                    return Poll::Ready(Protocol::Http2);
                }
                Poll::Ready(Ok(1..)) => return Poll::Ready(Protocol::Http1),
                Poll::Ready(_) => return Poll::Ready(Protocol::None),
                Poll::Pending => {
                    place.watch(cx.waker());
                    ready!(alarm.poll(cx, &worker.clock, Some(until_ns)));
                    return Poll::Ready(Protocol::None);
                }
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests;
