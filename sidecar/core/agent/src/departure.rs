//! How a sidecar leaves: told by a signal or an order, out of the registry first, then request by request.
//!
//! What others send ends before what the workload sends: while the application finishes what it was sent, it may call.

use std::time::Duration;

use proxy::report::Direction;
use proxy::{Ended, Handle, Phase};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::log::Log;
use crate::signals::Signals;
use crate::status::Status;

/// Time for the registry to take the workload out.
const FAREWELL: Duration = Duration::from_secs(1);
/// Time for callers to hear of it, before listeners close.
const HEARSAY: Duration = Duration::from_millis(250);

/// How a sidecar is to leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drain {
    /// Until connections from others are refused; they are served meanwhile, and callers hear of it.
    pub delay: Duration,
    /// For what is in flight after that; `None`: as long as the sidecar was started with.
    pub timeout: Option<Duration>,
    /// Until when the workload's own calls pass.
    pub outbound: OutboundUntil,
}

/// Until when the calls of a workload pass that is on its way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutboundUntil {
    /// No longer than those from others.
    #[default]
    Now,
    /// A signal, which is sent once the application has ended.
    Signal,
    /// No connection of either direction is left, by which an application shows that it has ended.
    Unused,
}

/// What a sidecar waits for, and what it then does.
#[derive(Debug)]
pub(crate) struct Departure {
    pub(crate) signals: Signals,
    pub(crate) ordered: mpsc::Receiver<Drain>,
    /// Time for what is in flight when nobody says another.
    pub(crate) timeout: Duration,
    pub(crate) proxy: Handle,
    pub(crate) status: Status,
    pub(crate) log: Log,
}

impl Departure {
    /// Waits to be told, then drains; another signal ends everything at once. After an order the first signal tells
    /// nothing new, unless the order left the workload's own calls to it: whoever ends a pod gives the order, then
    /// sends it.
    pub(crate) async fn run(mut self) -> Result<(), Ended> {
        let (mut drain, mut is_ordered) = tokio::select! {
            () = self.signals.next() => (Drain::default(), false),
            Some(drain) = self.ordered.recv() => (drain, true),
        };
        let timeout = drain.timeout.unwrap_or(self.timeout);
        self.log.info(
            "drain begins",
            &[("deadline_seconds", &timeout.as_secs_f64())],
        );
        if drain.outbound == OutboundUntil::Signal {
            self.leave_inbound_until_signal(drain.delay).await?;
            (drain.delay, is_ordered) = (Duration::ZERO, false);
        }
        tokio::select! {
            drained = leave(&self.proxy, &self.status, drain, timeout) => drained?,
            () = hastened(&mut self.signals, is_ordered) => self.log.warn("drain hastened", &[]),
        }
        self.log.info("drain ended", &[]);
        Ok(())
    }

    async fn leave_inbound_until_signal(&mut self, delay: Duration) -> Result<(), Ended> {
        let left = async {
            leave_inbound(&self.proxy, &self.status, delay).await?;
            std::future::pending().await
        };
        tokio::select! {
            ended = left => return ended,
            () = self.signals.next() => {}
        }
        self.log.info("drain goes on with outbound", &[]);
        Ok(())
    }
}

async fn hastened(signals: &mut Signals, is_ordered: bool) {
    if is_ordered {
        signals.next().await;
    }
    signals.next().await;
}

async fn leave(
    proxy: &Handle,
    status: &Status,
    drain: Drain,
    timeout: Duration,
) -> Result<(), Ended> {
    leave_inbound(proxy, status, drain.delay).await?;
    let end = Instant::now() + timeout;
    if drain.outbound == OutboundUntil::Unused {
        let _ = timeout_at(end, proxy.unused()).await; // what is left then is cut below
    }
    proxy
        .drain(end.saturating_duration_since(Instant::now()))
        .await
}

/// Has callers go elsewhere, and after `delay` those who have not heard of it.
async fn leave_inbound(proxy: &Handle, status: &Status, delay: Duration) -> Result<(), Ended> {
    let was_registered = !status.borrow().leases.is_empty();
    status.send_modify(|state| state.is_draining = true);
    proxy.advance(Direction::Inbound, Phase::Leaving).await?;
    let taken_out = async {
        if was_registered {
            be_taken_out(status).await;
        }
    };
    tokio::join!(taken_out, sleep(delay));
    proxy.advance(Direction::Inbound, Phase::Closed).await
}

async fn be_taken_out(status: &Status) {
    let mut changes = status.subscribe();
    let taken_out = changes.wait_for(|state| state.leases.is_empty());
    if timeout(FAREWELL, taken_out).await.is_ok() {
        sleep(HEARSAY).await;
    } // else the leases run out
}
