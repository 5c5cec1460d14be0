//! The life of a sidecar, from its settings to the end of its drain.

use std::io;
use std::time::Duration;

use proxy::LogSink;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use crate::assembly::Assembly;
use crate::departure::{Departure, Drain};
use crate::doors::Doors;
use crate::error::Error;
use crate::log::Log;
use crate::process::give_back_start;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::status::{self, Status};

/// Threads for the disk and for name resolution, and how long an idle one stays.
const HELPERS: usize = 2;
const HELPER_STAYS: Duration = Duration::from_secs(1);

/// The way to a running sidecar from another thread.
#[derive(Clone, Debug)]
pub struct Remote {
    drains: mpsc::Sender<Drain>,
    status: Status,
}

/// How a running sidecar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Whether the workload may be sent traffic.
    pub is_ready: bool,
    /// Whether a control plane is connected.
    pub is_connected: bool,
    /// Whether everything passes, since there never was a configuration.
    pub is_unenforced: bool,
    /// Newest revision at which everything is applied.
    pub revision: i64,
}

impl Remote {
    /// Begins to drain; what is in flight has `deadline`.
    pub fn drain(&self, deadline: Duration) {
        let drain = Drain {
            timeout: Some(deadline),
            ..Drain::default()
        };
        let _ = self.drains.try_send(drain); // a full channel: it drains already
    }

    /// How the sidecar is.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let state = self.status.borrow();
        Summary {
            is_ready: state.is_ready(),
            is_connected: state.is_connected,
            is_unenforced: state.is_unenforced,
            revision: state.revision,
        }
    }
}

/// Where a sidecar writes; each has a thread of its own, and may block.
pub struct Outputs {
    /// The program's log.
    pub log: Box<dyn io::Write + Send>,
    /// The access log.
    pub access_log: LogSink,
}

/// Runs a sidecar on this thread until it has drained; `started` is given the way to it once everything listens.
///
/// # Errors
/// Something could not start, or the worker ended by itself.
pub fn run(
    settings: Settings,
    outputs: Outputs,
    started: impl FnOnce(Remote),
) -> Result<(), Error> {
    give_back_start();
    let runtime = runtime()?;
    let log = Log::start(outputs.log)?;
    log.set_level(settings.log_level);
    let result = runtime.block_on(serve(settings, outputs.access_log, &log, started));
    if let Err(error) = &result {
        log.error("sidecar ended", &[("reason", error)]);
    }
    log.flush();
    runtime.shutdown_background(); // a disk that hangs holds nobody up
    result
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(HELPERS)
        .thread_keep_alive(HELPER_STAYS)
        .build()
}

async fn serve(
    settings: Settings,
    access_log: LogSink,
    log: &Log,
    started: impl FnOnce(Remote),
) -> Result<(), Error> {
    let signals = Signals::take()?;
    let status = status::begin();
    let doors = Doors::open(&settings, access_log, log)?;
    let (drains, ordered) = mpsc::channel(1);
    let departure = Departure {
        signals,
        ordered,
        timeout: settings.drain_timeout,
        proxy: doors.proxy.clone(),
        status: status.clone(),
        log: log.clone(),
    };
    let assembly = Assembly::new(settings, doors, drains.clone(), status.clone(), log.clone());
    started(Remote {
        drains,
        status: status.clone(),
    });
    tokio::select! {
        drained = departure.run() => Ok(drained?),
        // The worker ends with its drain, and may be seen to before the drain is.
        error = assembly.run() => if status.borrow().is_draining { Ok(()) } else { Err(error) },
    }
}
