//! Connections that were accepted: which protocol they speak, and whoever serves it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, ready};

use tokio::net::TcpStream;

use crate::alarm::Alarm;
use crate::config::Protocol;
use crate::connections::Place;
use crate::h1::Client;
use crate::h2;
use crate::request::Sender;
use crate::speech::{self, PREFACE, Speech};
use crate::tcp::{self, Turned};
use crate::wire::Wire;
use crate::worker::{Entry, Worker};

/// Time for the first bytes of what can only be HTTP.
const DETECT_NS: u64 = 60_000_000_000;
/// Time for first bytes that tell HTTP from other protocols; in some of these the server speaks first.
pub(crate) const TELL_NS: u64 = 100_000_000;

/// Serves one connection, of the protocol that is declared, to its end.
pub(crate) async fn serve(
    protocol: Protocol,
    worker: Rc<Worker>,
    stream: TcpStream,
    (peer, entry): (SocketAddr, Rc<Entry>),
    place: Place,
) {
    let sender = Sender {
        address: peer.ip(),
        connection: place.number(),
    };
    let mut wire = Wire::new(stream);
    let mut speech = match protocol {
        Protocol::Http => detect(&worker, &mut wire, &place).await,
        Protocol::Opaque => Some(Speech::Opaque),
        Protocol::Any => tell(&worker, &mut wire, &place).await,
    };
    // What is not HTTP/1.1 is apart, so that a connection of that does not pay for what others hold.
    if speech == Some(Speech::Undecided) {
        match Box::pin(tcp::serve_undecided(
            &worker,
            wire,
            (sender, &entry),
            &place,
        ))
        .await
        {
            Turned::Over => return,
            Turned::Http(said, rest) => (speech, wire) = (Some(said), rest),
        }
    }
    match speech {
        Some(Speech::Http1) => {
            let mut client = Client::new(worker, wire, entry, sender, place);
            client.serve().await;
        }
        Some(Speech::Http2) => Box::pin(h2::serve(worker, wire, entry, sender, place)).await,
        Some(_) => Box::pin(tcp::serve(&worker, wire, (sender, &entry))).await,
        None => {}
    }
}

/// Reads until the first bytes tell one version of HTTP from the other; they stay as input.
async fn detect(worker: &Worker, wire: &mut Wire, place: &Place) -> Option<Speech> {
    let until_ns = worker.clock.now_ns().saturating_add(DETECT_NS);
    read(worker, wire, place, until_ns, |input| {
        if input.starts_with(PREFACE) {
            Some(Speech::Http2)
        } else {
            (!PREFACE.starts_with(input)).then_some(Speech::Http1)
        }
    })
    .await
    .unwrap_or_default()
}

/// Reads until the first bytes tell what is spoken; where none come, that stays undecided for now.
async fn tell(worker: &Worker, wire: &mut Wire, place: &Place) -> Option<Speech> {
    let until_ns = worker.clock.now_ns().saturating_add(TELL_NS);
    let judge = |input: &[u8]| match speech::judge(input) {
        Speech::Undecided => None,
        speech => Some(speech),
    };
    match read(worker, wire, place, until_ns, judge).await {
        Ok(None) if !place.is_closed() => Some(Speech::Opaque),
        Ok(speech) => speech,
        Err(OutOfTime) if wire.input.is_empty() => Some(Speech::Undecided),
        Err(OutOfTime) => Some(Speech::Http1),
    }
}

/// The first bytes did not come in time.
#[derive(Default)]
struct OutOfTime;

/// Reads until `decide` has; `None` when the connection ended before, or the sidecar leaves.
async fn read(
    worker: &Worker,
    wire: &mut Wire,
    place: &Place,
    until_ns: u64,
    decide: impl Fn(&[u8]) -> Option<Speech>,
) -> Result<Option<Speech>, OutOfTime> {
    let mut alarm = Alarm::default();
    std::future::poll_fn(|cx| {
        loop {
            if place.is_closed() {
                return Poll::Ready(Ok(None));
            }
            match wire.poll_fill(cx, &worker.memory, 16 * 1024) {
                Poll::Ready(Ok(1..)) => {
                    if let Some(speech) = decide(&wire.input) {
                        return Poll::Ready(Ok(Some(speech)));
                    }
                }
                Poll::Ready(_) => return Poll::Ready(Ok(None)),
                Poll::Pending => {
                    place.watch(cx.waker());
                    ready!(alarm.poll(cx, &worker.clock, Some(until_ns)));
                    return Poll::Ready(Err(OutOfTime));
                }
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests;
