//! A worker under test.

use std::net::SocketAddr;
use std::sync::Arc;

use proxy::report::{Event, Span, Stats};
use proxy::{
    Bounds, Config, Demand, Handle, InboundListener, LogSink, Outlets, ServiceName, Settings,
    UpstreamListener, start,
};
use tokio::sync::mpsc;

use super::client::Client;

pub(crate) struct Running {
    pub(crate) handle: Handle,
    pub(crate) demands: mpsc::Receiver<Demand>,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) spans: mpsc::Receiver<Span>,
}

/// An address that the system chooses.
pub(crate) fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub(crate) fn settings() -> Settings {
    Settings {
        instance: "web-1".into(),
        namespace: "shop".into(),
        peer: "shop/web".into(),
        inbound: Vec::new(),
        captured: None,
        opaque_ports: Vec::new(),
        app_protocols: Vec::new(),
        probed: Vec::new(),
        outbound: Some(any()),
        upstreams: Vec::new(),
        own_addresses: Vec::new(),
        bounds: Bounds::default(),
        log: LogSink::none(),
        gauges: Arc::default(),
    }
}

/// Settings of the sidecar beside `app`, a member of `shop/cart`.
pub(crate) fn beside(app: SocketAddr) -> Settings {
    let service = ServiceName::new("shop", "cart");
    Settings {
        inbound: vec![InboundListener {
            listen: any(),
            app,
            service,
        }],
        ..settings()
    }
}

pub(crate) fn upstream_listener(service: ServiceName, port: u16) -> UpstreamListener {
    UpstreamListener {
        listen: any(),
        service,
        port,
    }
}

impl Running {
    pub(crate) fn start(settings: Settings) -> Self {
        let (demand, demands) = mpsc::channel(100);
        let (event, events) = mpsc::channel(1000);
        let (span, spans) = mpsc::channel(1000);
        let handle = start(
            settings,
            Outlets {
                demands: demand,
                events: event,
                spans: span,
            },
        )
        .unwrap();
        Self {
            handle,
            demands,
            events,
            spans,
        }
    }

    /// An outbound worker under this configuration.
    pub(crate) async fn with(config: Arc<Config>) -> Self {
        let running = Self::start(settings());
        running.handle.apply(config).await.unwrap();
        running
    }

    pub(crate) fn outbound(&self) -> SocketAddr {
        self.handle.addresses().outbound.unwrap()
    }

    pub(crate) fn inbound(&self) -> SocketAddr {
        self.handle.addresses().inbound[0]
    }

    /// A client of the outbound listener.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.outbound()).await
    }

    /// The sum of a family's values whose labels include all of these.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        sum(&self.handle.stats().await.unwrap(), name, labels)
    }
}

fn sum(stats: &Stats, name: &str, labels: &[&str]) -> f64 {
    let family = stats.families.iter().find(|family| family.name == name);
    let family = family.unwrap_or_else(|| panic!("no family {name}"));
    let has = |point: &&proxy::report::Point| {
        labels
            .iter()
            .all(|label| point.labels.iter().any(|value| value == label))
    };
    family
        .points
        .iter()
        .filter(has)
        .map(|point| point.value)
        .sum()
}
