//! Bytes of whatever protocol, passed on both ways.

use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::alarm::Alarm;
use crate::tunnel::Tunnel;
use crate::upstream::dial;
use crate::wire::Wire;
use crate::worker::Worker;

/// Time to connect to what is no service.
const CONNECT: Duration = Duration::from_secs(10);
/// Time without a byte after which a connection ends, where no policy says another.
const IDLE_NS: u64 = 3_600_000_000_000;

/// Passes a connection on to where it was going.
pub(crate) async fn pass_through(worker: &Worker, stream: TcpStream, address: SocketAddr) {
    let mut client = Wire::new(stream);
    let Ok(upstream) = dial(worker, address, CONNECT).await else {
        return client.reset_on_close();
    };
    let mut upstream = Wire::new(upstream);
    if !relay(worker, &mut client, &mut upstream).await {
        client.reset_on_close();
        upstream.reset_on_close();
    }
}

/// Passes bytes both ways until both sides have ended; whether that is how it ended.
async fn relay(worker: &Worker, client: &mut Wire, upstream: &mut Wire) -> bool {
    let (mut tunnel, mut alarm) = (Tunnel::default(), Alarm::default());
    let mut moved_ns = worker.clock.now_ns();
    std::future::poll_fn(|cx| {
        let (over, has_moved) = tunnel.poll(cx, client, upstream, &worker.memory);
        if let Poll::Ready(over) = over {
            return Poll::Ready(over.is_ok());
        }
        if has_moved {
            moved_ns = worker.clock.now_ns();
        }
        let until_ns = moved_ns.saturating_add(IDLE_NS);
        alarm
            .poll(cx, &worker.clock, Some(until_ns))
            .map(|()| false)
    })
    .await
}
