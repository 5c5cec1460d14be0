//! One client's connection, from its handshake to its end.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Ping, PingPong, RecvStream};
use http::Request;
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::hub::Hub;
use crate::relay::relay;
use crate::stream::Stream;
use crate::wire::{Socket, Wire};

/// Time for the handshakes, of TLS and of HTTP/2.
const GREETING: Duration = Duration::from_secs(10);
/// A client that can no longer be reached is noticed after both of these at most.
const QUIET: Duration = Duration::from_secs(15);
const ANSWER: Duration = Duration::from_secs(10);
/// Calls of one connection at once; a sidecar has four, tools and tests that share a channel many more.
const MOST_CALLS: u32 = 1_000;
const MOST_HEADER_BYTES: u32 = 16 << 10;
/// Calls that were reset before they began, and by us for errors.
const MOST_RESETS: usize = 20;
/// Small, since clients send little; what is read of a message goes on at once.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;

/// Serves a client to its end.
pub(crate) async fn serve(hub: Rc<Hub>, stream: TcpStream) {
    let Ok(Some((mut connection, pings))) = timeout(GREETING, greet(&hub, stream)).await else {
        return;
    };
    let mut cuts = hub.cuts.subscribe();
    tokio::select! {
        () = carry(&hub, &mut connection) => {}
        () = pulse(pings) => {}
        _ = cuts.changed() => {}
    }
}

type Carried = Connection<Wire, Bytes>;

async fn greet(hub: &Hub, stream: TcpStream) -> Option<(Carried, Option<PingPong>)> {
    let socket = match &hub.encryption {
        Some(encryption) => {
            Socket::Encrypted(Box::new(encryption.acceptor.accept(stream).await.ok()?))
        }
        None => Socket::Plain(stream),
    };
    let mut connection = Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MOST_CALLS)
        .max_header_list_size(MOST_HEADER_BYTES)
        .max_pending_accept_reset_streams(MOST_RESETS)
        .max_local_error_reset_streams(Some(MOST_RESETS))
        .handshake(Wire::new(socket))
        .await
        .ok()?;
    let pings = connection.ping_pong();
    Some((connection, pings))
}

/// Takes calls until the client leaves; it is asked to after a while, and cut after another.
async fn carry(hub: &Rc<Hub>, connection: &mut Carried) {
    let lifetimes = hub.lifetimes();
    let mut leaving = hub.leaving.subscribe();
    let age = lifetimes.age.mul_f64(chance());
    let mut until = Instant::now() + age;
    let mut is_asked = false;
    loop {
        tokio::select! {
            call = connection.accept() => match call {
                Some(Ok((request, respond))) => begin(hub, request, respond),
                Some(Err(_)) | None => return,
            },
            () = sleep_until(until) => {
                if is_asked {
                    return;
                }
                (is_asked, until) = (true, Instant::now() + lifetimes.age_grace);
                connection.graceful_shutdown();
            }
            _ = leaving.wait_for(|is_leaving| *is_leaving), if !is_asked => {
                (is_asked, until) = (true, Instant::now() + lifetimes.age_grace);
                connection.graceful_shutdown();
            }
        }
    }
}

/// Begins with a call: a stream of our own, or one that is for the backend.
fn begin(hub: &Rc<Hub>, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
    if !hub.opens(request.uri().path()) {
        spawn_local(relay(Rc::clone(&hub.backend), request, respond));
    } else if let Some(stream) = Stream::open(hub, request, respond) {
        spawn_local(stream);
    }
}

/// Ready when the client gave no sign of life in time.
async fn pulse(pings: Option<PingPong>) {
    let Some(mut pings) = pings else {
        return std::future::pending().await;
    };
    loop {
        sleep(QUIET).await;
        if timeout(ANSWER, pings.ping(Ping::opaque())).await.is_err() {
            return;
        }
    }
}

/// A factor that is different for each connection: 1, give or take a tenth.
fn chance() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let drawn = u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or_default();
    0.9 + 0.2 * f64::from(drawn) / f64::from(u32::MAX)
}
