//! Everything that listens, opened before anything is served.

use proxy::report::Event;
use proxy::{Bounds, Demand, Handle, LogSink, Outlets};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;

use crate::admin;
use crate::run::Error;
use crate::settings::Settings;

/// Demands and events of the worker that wait for the agent.
const DEMANDS: usize = 64;
const EVENTS: usize = 256;

/// Listeners of the agent, and the worker with its own.
#[derive(Debug)]
pub(crate) struct Doors {
    pub(crate) http: TcpListener,
    pub(crate) admin: UnixListener,
    pub(crate) proxy: Handle,
    pub(crate) demands: mpsc::Receiver<Demand>,
    pub(crate) told: mpsc::Receiver<Event>,
}

impl Doors {
    pub(crate) async fn open(settings: &Settings, access_log: LogSink) -> Result<Self, Error> {
        let (address, path) = (settings.http, &settings.admin);
        let http = TcpListener::bind(address)
            .await
            .map_err(|source| Error::Http { address, source })?;
        let admin = admin::listen(path).map_err(|source| Error::Admin {
            path: path.clone(),
            source,
        })?;
        let (demand, demands) = mpsc::channel(DEMANDS);
        let (events, told) = mpsc::channel(EVENTS);
        let proxy = proxy::start(
            worker(settings, access_log),
            Outlets {
                demands: demand,
                events,
            },
        )?;
        Ok(Self {
            http,
            admin,
            proxy,
            demands,
            told,
        })
    }
}

fn worker(settings: &Settings, access_log: LogSink) -> proxy::Settings {
    proxy::Settings {
        instance: settings.instance.as_str().into(),
        namespace: settings.namespace().into(),
        inbound: settings.inbound(),
        outbound: Some(settings.outbound),
        upstreams: settings.upstreams.clone(),
        own_addresses: vec![settings.http],
        bounds: Bounds::default(),
        log: access_log,
    }
}
