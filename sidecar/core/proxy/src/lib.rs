//! The data path: listeners, protocol detection, pools, the stages of a request.
//!
//! A worker is one thread with one event loop, its own listeners and its own connections. Everything that decides
//! about requests belongs to it alone, so nothing on their path is shared, locked or atomic. It is told its
//! [`config`] and asked for its [`report`]s through a [`Handle`], in messages that it handles between requests.
#![forbid(unsafe_code)]

mod accounts;
mod across;
mod alarm;
mod bind;
mod capture;
mod census;
mod chance;
mod clock;
pub mod config;
mod connections;
mod demand;
mod descriptors;
mod doors;
mod downstream;
mod entrances;
mod exchange;
mod explain;
mod front;
mod gate;
mod gauges;
mod h1;
mod h2;
mod handle;
mod hangup;
mod host;
mod journal;
pub mod json_line;
mod listen;
mod live;
mod name;
mod orders;
mod probe;
mod race;
pub mod report;
mod request;
mod rules;
mod series;
mod settings;
mod shortage;
mod spared;
mod speech;
mod stages;
mod tally;
mod tcp;
mod trace;
mod tunnel;
mod upstream;
mod wire;
mod worker;

pub use bind::bind_at;
pub use config::Config;
pub use connections::Phase;
pub use gauges::Gauges;
pub use handle::{
    Addresses, Demand, Ended, Force, ForceError, Handle, Outlets, Supply, Wanted, start,
};
pub use http1::canonical_path;
pub use name::{PolicyRef, ServiceName};
pub use settings::{
    Bounds, InboundListener, LogSink, ProbedPath, Settings, StartError, UpstreamListener,
};
