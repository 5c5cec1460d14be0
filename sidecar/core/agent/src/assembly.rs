//! All parts of a sidecar, constructed and connected.

use std::sync::Arc;

use proxy::Gauges;
use proxy::report::Event;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::admin;
use crate::application;
use crate::cgroup;
use crate::departure::Drain;
use crate::discovery::Discovery;
use crate::disk::Disk;
use crate::doors::Doors;
use crate::error::Error;
use crate::events::Events;
use crate::holdings::Holdings;
use crate::http;
use crate::link::{self, Companions, Places};
use crate::log::Log;
use crate::metrics::Metrics;
use crate::operator::Operator;
use crate::registration::Registration;
use crate::saver::Saver;
use crate::settings::Settings;
use crate::spans::Exporter;
use crate::status::Status;
use crate::telemetry::{Reporter, Sources};

/// A sidecar that listens and serves nothing yet.
#[derive(Debug)]
pub(crate) struct Assembly {
    settings: Settings,
    discovery: Discovery,
    companions: Companions,
    http: Vec<TcpListener>,
    admin: Option<UnixListener>,
    told: mpsc::Receiver<Event>,
    gauges: Arc<Gauges>,
    events: Events,
    status: Status,
    log: Log,
}

impl Assembly {
    pub(crate) fn new(
        settings: Settings,
        doors: Doors,
        drains: mpsc::Sender<Drain>,
        status: Status,
        log: Log,
    ) -> Self {
        let Doors {
            http,
            admin,
            proxy,
            demands,
            told,
            spans,
            gauges,
        } = doors;
        let metrics = Metrics {
            status: status.clone(),
            log: log.clone(),
        };
        let upstreams = settings
            .upstreams
            .iter()
            .map(|upstream| upstream.service.clone());
        let identity = settings.identity().labelled(&settings.labels);
        let holdings = Holdings::new(identity, upstreams);
        let events = Events::default();
        let companions = Companions {
            reporter: Reporter::new(Sources {
                instance: settings.instance.clone(),
                proxy: proxy.clone(),
                metrics: metrics.clone(),
                events: events.clone(),
                status: status.clone(),
            }),
            operator: Operator {
                instance: settings.instance.clone(),
                services: settings.named(),
                proxy: proxy.clone(),
                status: status.clone(),
                metrics,
                log: log.clone(),
                drains,
            },
            registration: Registration::new(&settings, status.clone()),
            exporter: Exporter::new(settings.instance.clone(), spans),
        };
        let discovery = Discovery::new(
            &settings,
            holdings,
            (proxy, demands),
            status.clone(),
            (events.clone(), log.clone()),
        );
        Self {
            settings,
            discovery,
            companions,
            http,
            admin,
            told,
            gauges,
            events,
            status,
            log,
        }
    }

    /// Serves the last good configuration, then whatever the control plane says; returns what ended by itself.
    pub(crate) async fn run(mut self) -> Error {
        let saver = match self.restore().await {
            Ok(saver) => saver,
            Err(error) => return error,
        };
        let operator = &self.companions.operator;
        let mut tasks = JoinSet::new();
        tasks.spawn(self.events.collect(self.told, self.log.clone()));
        tasks.spawn(http::serve(
            self.http,
            operator.clone(),
            http::Application {
                probed: self.settings.probed_ports.clone(),
                over_tls: self.settings.probed_over_tls.clone(),
                metrics: self.settings.app_metrics.clone(),
            },
        ));
        if let Some(listener) = self.admin {
            tasks.spawn(admin::serve(listener, operator.clone()));
        }
        tasks.spawn(saver.run(self.status.subscribe()));
        let services = self.settings.services.clone();
        tasks.spawn(application::watch(
            services,
            self.status.clone(),
            self.log.clone(),
        ));
        let cgroup = self.settings.cgroup.clone();
        tasks.spawn(cgroup::watch(cgroup, self.gauges, self.log.clone()));
        self.log.info(
            "sidecar started",
            &[
                ("instance", &self.settings.instance),
                ("version", &crate::VERSION),
            ],
        );
        let places = Places {
            names: self.settings.controlplane,
            trust: self.settings.trust,
        };
        tokio::select! {
            ended = link::run(self.discovery, self.companions, places, self.log) => ended.into(),
            Some(_) = tasks.join_next() => Error::Task,
        }
    }

    /// Takes up what is on disk; returns what will write there.
    async fn restore(&mut self) -> Result<Saver, Error> {
        let instance = &self.settings.instance;
        let disk = Disk::new(&self.settings.state_dir);
        let found = disk.load(instance);
        for file in found.refused {
            self.log.error(
                "configuration on disk refused",
                &[("file", &file.file), ("reason", &file.reason)],
            );
        }
        let mut saver = Saver::new(disk, instance.clone(), found.sequence, self.log.clone());
        if let Some(saved) = found.saved {
            self.discovery.restore(saved).await?;
            saver.resume(self.status.borrow().clone());
        }
        Ok(saver)
    }
}
