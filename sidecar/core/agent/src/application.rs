//! Watches whether the application answers, by connecting to its ports: that is the verdict on each of our services.
//!
//! Nothing is sent, and the connection ends at once. A failure of this host, such as a lack of descriptors, says nothing
//! about the application.

mod verdict;

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use proxy::ServiceName;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::log::Log;
use crate::settings::OwnService;
use crate::status::Status;
use verdict::Verdict;

/// Time for one connection.
const CONNECT: Duration = Duration::from_secs(1);

/// One service of the workload, and the verdict on it.
#[derive(Debug)]
struct Watched {
    service: ServiceName,
    ports: Vec<SocketAddr>,
    verdict: Verdict,
}

/// Watches the applications behind `services`, until the process ends.
pub(crate) async fn watch(services: Vec<OwnService>, status: Status, log: Log) {
    let mut watched: Vec<Watched> = services.into_iter().filter_map(Watched::new).collect();
    loop {
        for one in &mut watched {
            if one.look().await {
                one.tell(&log);
            }
        }
        publish(&status, &watched);
        match watched.iter().map(|one| one.verdict.rest()).min() {
            Some(rest) => sleep(rest).await,
            None => std::future::pending().await, // a workload that only calls
        }
    }
}

fn publish(status: &Status, watched: &[Watched]) {
    let unfit = watched.iter().filter(|one| !one.verdict.is_fit());
    let unfit = Some(unfit.map(|one| one.service.clone()).collect());
    status.send_if_modified(|state| {
        let is_news = state.unfit != unfit;
        state.unfit = unfit;
        is_news
    });
}

impl Watched {
    /// `None` for a service that nobody reaches here.
    fn new(service: OwnService) -> Option<Self> {
        let ports: Vec<_> = service.ports.iter().map(|port| port.app).collect();
        (!ports.is_empty()).then(|| Self {
            service: service.name,
            ports,
            verdict: Verdict::default(),
        })
    }

    /// Looks once; true when the verdict is another one now, or the first.
    async fn look(&mut self) -> bool {
        let mut answers = true;
        for port in &self.ports {
            match outcome(timeout(CONNECT, TcpStream::connect(port)).await.ok()) {
                Some(outcome) => answers &= outcome,
                None => return false,
            }
        }
        self.verdict.observe(answers)
    }

    fn tell(&self, log: &Log) {
        let field: (&str, &dyn Display) = ("service", &self.service);
        if self.verdict.is_fit() {
            log.info("application answers", &[field]);
        } else {
            log.warn("application does not answer", &[field]);
        }
    }
}

/// Whether the application answered, given how connecting ended or `None` for too late; `None` when that says nothing.
fn outcome(connected: Option<io::Result<TcpStream>>) -> Option<bool> {
    match connected {
        Some(Ok(_)) => Some(true),
        None => Some(false),
        Some(Err(error)) => is_its_own(error.kind()).then_some(false),
    }
}

const fn is_its_own(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::TimedOut
    )
}
