//! How a sidecar leaves: told by a signal or an order, out of the registry first, then request by request.

use std::time::Duration;

use proxy::{Ended, Handle};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::log::Log;
use crate::operator::DRAIN;
use crate::signals::Signals;
use crate::status::Status;

/// Time for the registry to take the workload out.
const FAREWELL: Duration = Duration::from_secs(1);
/// Time for callers to hear of it, before listeners close.
const HEARSAY: Duration = Duration::from_millis(250);

/// What a sidecar waits for, and what it then does.
#[derive(Debug)]
pub(crate) struct Departure {
    pub(crate) signals: Signals,
    pub(crate) ordered: mpsc::Receiver<Duration>,
    pub(crate) proxy: Handle,
    pub(crate) status: Status,
    pub(crate) log: Log,
}

impl Departure {
    /// Waits to be told, then drains; another signal ends everything at once. After an order the first signal tells
    /// nothing new: whoever ends a pod gives the order, then sends it.
    pub(crate) async fn run(mut self) -> Result<(), Ended> {
        let (deadline, is_ordered) = tokio::select! {
            () = self.signals.next() => (DRAIN, false),
            Some(deadline) = self.ordered.recv() => (deadline, true),
        };
        self.log.info(
            "drain begins",
            &[("deadline_seconds", &deadline.as_secs_f64())],
        );
        tokio::select! {
            drained = leave(&self.proxy, &self.status, deadline) => drained?,
            () = hastened(&mut self.signals, is_ordered) => self.log.warn("drain hastened", &[]),
        }
        self.log.info("drain ended", &[]);
        Ok(())
    }
}

async fn hastened(signals: &mut Signals, is_ordered: bool) {
    if is_ordered {
        signals.next().await;
    }
    signals.next().await;
}

async fn leave(proxy: &Handle, status: &Status, deadline: Duration) -> Result<(), Ended> {
    let was_registered = !status.borrow().leases.is_empty();
    status.send_modify(|state| state.is_draining = true);
    if was_registered {
        let mut changes = status.subscribe();
        let taken_out = changes.wait_for(|state| state.leases.is_empty());
        if timeout(FAREWELL, taken_out).await.is_ok() {
            sleep(HEARSAY).await;
        } // else the leases run out
    }
    proxy.drain(deadline).await
}
