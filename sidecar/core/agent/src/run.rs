//! The life of a sidecar: everything is constructed and connected here.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use proxy::{Bounds, Demand, Ended, Handle, LogSink, Outlets, StartError, report};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::admin;
use crate::discovery::Discovery;
use crate::disk::Disk;
use crate::events::Events;
use crate::holdings::Holdings;
use crate::http;
use crate::identity::Identity;
use crate::link::{self, Companions};
use crate::log::Log;
use crate::metrics::Metrics;
use crate::operator::{DRAIN, Operator};
use crate::registration::Registration;
use crate::saved::Saved;
use crate::saver::Saver;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::status::{self, Status};
use crate::telemetry::Reporter;

/// Demands and events of the worker that wait for the agent.
const DEMANDS: usize = 64;
const EVENTS: usize = 256;
/// Time for the registry to take the workload out, and for callers to hear of it, before listeners close.
const FAREWELL: Duration = Duration::from_secs(1);
const HEARSAY: Duration = Duration::from_millis(250);

/// Why a sidecar did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The event loop, a thread or a signal could not be had.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    /// The address of the pages could not be had.
    #[error("cannot listen on --http {address}: {source}")]
    Http {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The socket could not be had.
    #[error("cannot listen on --admin unix:{}: {source}", path.display())]
    Admin {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The worker could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The worker ended by itself.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// The way to a running sidecar from another thread.
#[derive(Clone, Debug)]
pub struct Remote {
    drains: mpsc::Sender<Duration>,
    status: Status,
}

/// How a running sidecar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Whether the workload may be sent traffic.
    pub is_ready: bool,
    /// Whether a control plane is connected.
    pub is_connected: bool,
    /// Newest revision at which everything is applied.
    pub revision: i64,
}

impl Remote {
    /// Begins to drain; what is in flight has `deadline`.
    pub fn drain(&self, deadline: Duration) {
        let _ = self.drains.try_send(deadline); // a full channel: it drains already
    }

    /// How the sidecar is.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let state = self.status.borrow();
        Summary {
            is_ready: state.is_ready(),
            is_connected: state.is_connected,
            revision: state.revision,
        }
    }
}

/// Runs a sidecar on this thread until it has drained. Its log goes to `log`, which may block; `started` is given the
/// way to it once everything listens.
///
/// # Errors
/// Something could not start, or the worker ended by itself.
pub fn run(
    settings: Settings,
    log: impl io::Write + Send + 'static,
    started: impl FnOnce(Remote),
) -> Result<(), Error> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2) // the disk and name resolution
        .thread_keep_alive(Duration::from_secs(1))
        .build()?;
    let log = Log::start(log)?;
    let result = runtime.block_on(serve(settings, &log, started));
    if let Err(error) = &result {
        log.error("sidecar ended", &[("reason", error)]);
    }
    log.flush();
    runtime.shutdown_background(); // a disk that hangs holds nobody up
    result
}

/// Everything that listens, before anything is served.
struct Doors {
    http: TcpListener,
    admin: UnixListener,
    proxy: Handle,
    demands: mpsc::Receiver<Demand>,
    told: mpsc::Receiver<report::Event>,
}

async fn serve(settings: Settings, log: &Log, started: impl FnOnce(Remote)) -> Result<(), Error> {
    let mut signals = Signals::take()?;
    let status = status::begin();
    let disk = Disk::new(&settings.state_dir);
    let saved = load(&disk, &settings, log);
    let Doors {
        http,
        admin,
        proxy,
        demands,
        told,
    } = open(&settings).await?;
    let (drains, mut ordered) = mpsc::channel(1);
    started(Remote {
        drains: drains.clone(),
        status: status.clone(),
    });

    let metrics = Metrics {
        status: status.clone(),
        log: log.clone(),
    };
    let operator = Operator {
        instance: settings.instance.clone(),
        services: settings
            .services
            .iter()
            .map(|service| service.name.clone())
            .collect(),
        proxy: proxy.clone(),
        status: status.clone(),
        metrics: metrics.clone(),
        log: log.clone(),
        drains,
    };
    let events = Events::default();
    tokio::spawn(events.clone().collect(told, log.clone()));
    tokio::spawn(http::serve(http, operator.clone()));
    tokio::spawn(admin::serve(admin, operator.clone()));

    let mut discovery = discovery(&settings, (proxy.clone(), demands), &status, log);
    let saver = saver(&disk, &settings, saved.as_ref(), log);
    restore(&mut discovery, saved).await?;
    tokio::spawn(saver.run(
        status.subscribe(),
        Some(status.borrow().clone()).filter(|state| state.source.is_some()),
    ));

    let reporter = Reporter {
        instance: settings.instance.clone(),
        epoch: SystemTime::now(),
        proxy: proxy.clone(),
        metrics,
        events,
        status: status.clone(),
    };
    let registration = Registration::new(&settings, status.clone());
    let companions = Companions {
        reporter,
        operator,
        registration,
    };
    log.info(
        "sidecar started",
        &[
            ("instance", &settings.instance),
            ("version", &crate::VERSION),
        ],
    );
    let draining = async {
        let deadline = tokio::select! {
            () = signals.next() => DRAIN,
            Some(deadline) = ordered.recv() => deadline,
        };
        drain(&proxy, &status, log, deadline, &mut signals).await
    };
    tokio::select! {
        ended = link::run(discovery, companions, settings.controlplane, log.clone()) => Err(ended.into()),
        () = proxy.ended() => Err(Ended.into()),
        drained = draining => Ok(drained?),
    }
}

async fn open(settings: &Settings) -> Result<Doors, Error> {
    let (address, path) = (settings.http, &settings.admin);
    let http = TcpListener::bind(address)
        .await
        .map_err(|source| Error::Http { address, source })?;
    let admin = admin::listen(path).map_err(|source| Error::Admin {
        path: path.clone(),
        source,
    })?;
    let (demands_sender, demands) = mpsc::channel(DEMANDS);
    let (events, told) = mpsc::channel(EVENTS);
    let proxy = proxy::start(
        worker(settings),
        Outlets {
            demands: demands_sender,
            events,
        },
    )?;
    Ok(Doors {
        http,
        admin,
        proxy,
        demands,
        told,
    })
}

fn worker(settings: &Settings) -> proxy::Settings {
    proxy::Settings {
        instance: settings.instance.as_str().into(),
        namespace: settings.namespace().into(),
        inbound: settings.inbound(),
        outbound: Some(settings.outbound),
        upstreams: settings.upstreams.clone(),
        own_addresses: vec![settings.http],
        bounds: Bounds::default(),
        log: LogSink::new(io::stdout()),
    }
}

fn load(disk: &Disk, settings: &Settings, log: &Log) -> Option<Saved> {
    let (saved, refused) = disk.load(&settings.instance);
    for file in refused {
        log.error(
            "configuration on disk refused",
            &[("file", &file.file), ("reason", &file.fault)],
        );
    }
    saved
}

fn discovery(
    settings: &Settings,
    worker: (Handle, mpsc::Receiver<Demand>),
    status: &Status,
    log: &Log,
) -> Discovery {
    let identity = Identity::new(settings.services.iter().map(|service| service.name.clone()));
    let upstreams = settings
        .upstreams
        .iter()
        .map(|upstream| upstream.service.clone());
    Discovery::new(
        settings,
        Holdings::new(identity, upstreams),
        worker,
        status.clone(),
        log.clone(),
    )
}

async fn restore(discovery: &mut Discovery, saved: Option<Saved>) -> Result<(), Ended> {
    match saved {
        Some(saved) => discovery.restore(saved).await,
        None => Ok(()),
    }
}

fn saver(disk: &Disk, settings: &Settings, saved: Option<&Saved>, log: &Log) -> Saver {
    Saver {
        disk: disk.clone(),
        instance: settings.instance.clone(),
        sequence: saved.map_or(0, |saved| saved.sequence),
        log: log.clone(),
    }
}

/// Takes the workload out of the registry, then ends what is in flight; another signal ends it at once.
async fn drain(
    proxy: &Handle,
    status: &Status,
    log: &Log,
    deadline: Duration,
    signals: &mut Signals,
) -> Result<(), Ended> {
    log.info(
        "drain begins",
        &[("deadline_seconds", &deadline.as_secs_f64())],
    );
    let was_registered = !status.borrow().leases.is_empty();
    status.send_modify(|state| state.is_draining = true);
    let leave = async {
        if was_registered {
            let mut changes = status.subscribe();
            let _ = timeout(FAREWELL, changes.wait_for(|state| state.leases.is_empty())).await;
            sleep(HEARSAY).await;
        }
        proxy.drain(deadline).await
    };
    tokio::select! {
        drained = leave => drained?,
        () = signals.next() => log.warn("drain hastened", &[]),
    }
    log.info("drain ended", &[]);
    Ok(())
}
