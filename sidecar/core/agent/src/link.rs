//! The one connection to a control plane: every stream shares it, and all begin anew when discovery's ends.

use std::convert::Infallible;
use std::error::Error;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use proxy::Ended;
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::sleep;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status as Answer};

use crate::backoff::Backoff;
use crate::chance;
use crate::command;
use crate::discovery::{Closing, Discovery};
use crate::log::Log;
use crate::operator::Operator;
use crate::registration::Registration;
use crate::telemetry::Reporter;

/// Time to establish the connection.
const CONNECT: Duration = Duration::from_secs(3);
/// A silent connection is probed this often, and is dead without an answer in this time.
const PROBE: Duration = Duration::from_secs(15);
const PROBE_ANSWER: Duration = Duration::from_secs(10);
/// A session this long was a good one; a shorter one is followed by a longer rest than the one before.
const PROVEN: Duration = Duration::from_secs(5);
/// Flow control windows, bytes: small, since messages are.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// The streams beside discovery's.
#[derive(Debug)]
pub(crate) struct Companions {
    pub(crate) reporter: Reporter,
    pub(crate) operator: Operator,
    pub(crate) registration: Registration,
}

/// Keeps a connection to one of `addresses`, the next after each failure, until the worker ends.
pub(crate) async fn run(
    mut discovery: Discovery,
    companions: Companions,
    addresses: Vec<String>,
    log: Log,
) -> Ended {
    match keep(&mut discovery, &companions, &addresses, &log).await {
        Ok(never) => match never {},
        Err(ended) => ended,
    }
}

async fn keep(
    discovery: &mut Discovery,
    companions: &Companions,
    addresses: &[String],
    log: &Log,
) -> Result<Infallible, Ended> {
    let (mut backoff, mut is_told) = (Backoff::default(), false);
    let first = (chance::draw() * addresses.len() as f64) as usize; // so that a fleet spreads over its control planes
    for address in addresses.iter().cycle().skip(first) {
        let ended = match discovery.alone(connect(address)).await? {
            Ok(channel) => {
                let Closing {
                    answer,
                    connected_for,
                } = session(discovery, companions, channel, address).await?;
                if connected_for > PROVEN {
                    backoff.reset();
                    is_told = false;
                }
                answer
            }
            Err(error) => Answer::unavailable(reasons(&error)),
        };
        let delay = backoff.next(chance::draw(), ended.code() == Code::ResourceExhausted);
        tell(log, is_told, address, ended.message());
        is_told = true;
        discovery.alone(sleep(delay)).await?;
    }
    discovery.alone(std::future::pending()).await // nobody to connect to
}

/// Says once, until there is a connection again, that there is none.
fn tell(log: &Log, is_told: bool, address: &str, reason: &str) {
    let fields: [(&str, &dyn Display); 2] = [("address", &address), ("reason", &reason)];
    if is_told {
        log.debug("control plane not connected", &fields);
    } else {
        log.warn("control plane not connected", &fields);
    }
}

/// An error with what is behind it.
fn reasons(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", reasons(cause)),
        None => error.to_string(),
    }
}

async fn connect(address: &str) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(PROBE)
        .keep_alive_timeout(PROBE_ANSWER)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .tcp_nodelay(true);
    endpoint.connect().await
}

/// All streams on `channel`, until discovery's ends.
async fn session(
    discovery: &mut Discovery,
    companions: &Companions,
    channel: Channel,
    address: &str,
) -> Result<Closing, Ended> {
    let Companions {
        reporter,
        operator,
        registration,
    } = companions;
    let log = &operator.log;
    tokio::select! {
        ended = discovery.session(channel.clone()) => ended,
        never = again("telemetry", log, || reporter.run(channel.clone())) => match never {},
        never = again("commands", log, || command::run(channel.clone(), operator)) => match never {},
        never = again("registration", log, || async {
            registration.run(channel.clone(), own_address(address).await).await
        }) => match never {},
    }
}

/// Runs a stream again and again, with a rest after each end.
async fn again<F: Future<Output = Answer>>(
    stream: &str,
    log: &Log,
    mut run: impl FnMut() -> F,
) -> Infallible {
    let mut backoff = Backoff::default();
    loop {
        let ended = run().await;
        if ended.code() == Code::Ok {
            return std::future::pending().await; // it has done what there was to do
        }
        log.warn(
            "stream ended",
            &[("stream", &stream), ("reason", &ended.message())],
        );
        sleep(backoff.next(chance::draw(), ended.code() == Code::ResourceExhausted)).await;
    }
}

/// The address of ours that reaches `address`; nothing is sent.
async fn own_address(address: &str) -> IpAddr {
    let found = async {
        let there = lookup_host(address).await.ok()?.next()?;
        let any: SocketAddr = if there.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        }
        .parse()
        .ok()?;
        let socket = UdpSocket::bind(any).await.ok()?;
        socket.connect(there).await.ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    found.await.unwrap_or(Ipv4Addr::LOCALHOST.into())
}
