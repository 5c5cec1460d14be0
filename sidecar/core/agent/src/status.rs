//! How the sidecar is: written by whoever changes it, read by everybody who is asked.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use proxy::ServiceName;
use tokio::sync::watch;

use crate::names::{Counts, HostStatus};
use crate::resource::{Rejection, Resource};

/// Where the configuration came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stream,
    Disk,
}

impl Source {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Disk => "disk",
        }
    }
}

/// How the sidecar is at a moment.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Whether a control plane is connected.
    pub(crate) is_connected: bool,
    /// Last moment at which one was; the start of the program before that.
    pub(crate) connected_at: Instant,
    /// Where the configuration that is served came from; `None` while there is none.
    pub(crate) source: Option<Source>,
    /// Whether everything passes, since there never was a configuration that could be enforced.
    pub(crate) is_unenforced: bool,
    /// Newest revision at which everything held is applied.
    pub(crate) revision: i64,
    /// Services that the sidecar belongs to, as far as it knows.
    pub(crate) services: Vec<ServiceName>,
    /// What is applied, sorted by id.
    pub(crate) applied: Vec<Arc<Resource>>,
    /// What has lapsed, least recent first.
    pub(crate) lapsed: Vec<Arc<Resource>>,
    /// What was refused and not replaced since, sorted by id.
    pub(crate) rejections: Vec<Rejection>,
    /// Live callers of each service, sorted, as last told.
    pub(crate) callers: Vec<(ServiceName, u32)>,
    /// Host names behind services, with how each stands, sorted.
    pub(crate) hosts: Vec<(ServiceName, HostStatus)>,
    /// Addresses that host names lead to, those included that nobody asks for any more; sorted.
    pub(crate) resolved: Vec<(Arc<str>, Arc<[IpAddr]>)>,
    /// Lookups of host names so far.
    pub(crate) lookups: Counts,
    /// Own services whose application does not answer; `None` before anybody looked.
    pub(crate) unfit: Option<BTreeSet<ServiceName>>,
    /// Leases under which the workload is registered.
    pub(crate) leases: Vec<i64>,
    /// Whether the sidecar is on its way out.
    pub(crate) is_draining: bool,
}

impl State {
    /// Seconds since the configuration was last known to be current; zero while connected.
    pub(crate) fn age_seconds(&self) -> f64 {
        if self.is_connected {
            0.0
        } else {
            self.connected_at.elapsed().as_secs_f64()
        }
    }

    /// Whether the workload may be sent traffic.
    pub(crate) const fn is_ready(&self) -> bool {
        (self.source.is_some() || self.is_unenforced) && !self.is_draining
    }
}

/// The one place where the state is kept.
pub(crate) type Status = Arc<watch::Sender<State>>;

/// The state of a sidecar that has just been started.
pub(crate) fn begin() -> Status {
    Arc::new(watch::Sender::new(State {
        is_connected: false,
        connected_at: Instant::now(),
        source: None,
        is_unenforced: false,
        revision: 0,
        services: Vec::new(),
        applied: Vec::new(),
        lapsed: Vec::new(),
        rejections: Vec::new(),
        callers: Vec::new(),
        hosts: Vec::new(),
        resolved: Vec::new(),
        lookups: Counts::default(),
        unfit: None,
        leases: Vec::new(),
        is_draining: false,
    }))
}
