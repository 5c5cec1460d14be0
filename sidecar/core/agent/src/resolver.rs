//! Looks host names up as this host is set up to: in its hosts file, then at its name servers.
//!
//! Nothing of it is there until a name is asked for, and nothing is left once none is. The files are read again when
//! they change, as they do when a host moves to another network.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{self, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::names::{Answer, Failure, Family, Found, Query};

const HOSTS_FILE: &str = "/etc/hosts";
const RESOLVER_FILE: &str = "/etc/resolv.conf";
/// Time for a whole lookup, and for one server to answer.
const LOOKUP: Duration = Duration::from_secs(5);
const SERVER: Duration = Duration::from_secs(2);

/// Lookups under way, and what they are made with.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    system: Option<System>,
    lookups: JoinSet<(Query, Answer)>,
}

/// How names are looked up on this host.
#[derive(Clone, Debug)]
struct System {
    stamp: Stamp,
    hosts: Arc<Hosts>,
    servers: TokioResolver,
}

/// When the files were last written.
type Stamp = [Option<SystemTime>; 2];

impl Resolver {
    /// Begins a lookup.
    pub(crate) fn ask(&mut self, query: Query) {
        let system = self.system();
        self.lookups.spawn(async move {
            let answer = match system {
                Ok(system) => timeout(LOOKUP, system.look_up(&query))
                    .await
                    .unwrap_or(Err(Failure::Timeout)),
                Err(_) => Err(Failure::Server),
            };
            (query, answer)
        });
    }

    /// The outcome of a lookup that has ended; never, while none is under way.
    pub(crate) async fn answer(&mut self) -> (Query, Answer) {
        loop {
            match self.lookups.join_next().await {
                Some(Ok(ended)) => return ended,
                Some(Err(_)) => {} // aborted together with the runtime
                None => std::future::pending().await,
            }
        }
    }

    /// Gives up what only lookups need.
    pub(crate) fn rest(&mut self) {
        self.system = None;
    }

    fn system(&mut self) -> Result<System, NetError> {
        let stamp = stamp();
        if let Some(system) = self.system.as_ref().filter(|one| one.stamp == stamp) {
            return Ok(system.clone());
        }
        let system = System::read(stamp)?;
        self.system = Some(system.clone());
        Ok(system)
    }
}

fn stamp() -> Stamp {
    [HOSTS_FILE, RESOLVER_FILE].map(|file| fs::metadata(file).ok()?.modified().ok())
}

impl System {
    fn read(stamp: Stamp) -> Result<Self, NetError> {
        // Without name servers in the file, or without the file, this host has its own: resolv.conf(5).
        let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|_| {
            let own = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![own]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        });
        let options = builder.options_mut();
        options.cache_size = 0; // what was found is kept, and looked up again when it is due
        options.use_hosts_file = ResolveHosts::Never; // it is asked before
        options.timeout = options.timeout.min(SERVER);
        Ok(Self {
            stamp,
            hosts: Hosts::from_system().unwrap_or_default().into(),
            servers: builder.build()?,
        })
    }

    async fn look_up(&self, query: &Query) -> Answer {
        let name = Name::from_utf8(&*query.host).map_err(|_| Failure::Unknown)?;
        if let Some(answer) = self.in_hosts_file(&name, query.family) {
            return answer;
        }
        match self.servers.lookup(name, record_type(query.family)).await {
            Ok(lookup) => found(&lookup),
            Err(error) => Err(failure(&error)),
        }
    }

    /// What the hosts file says; a name that it has in one family is not looked for elsewhere in the other.
    fn in_hosts_file(&self, name: &Name, family: Family) -> Option<Answer> {
        let of = |family| {
            let query = op::Query::query(name.clone(), record_type(family));
            self.hosts.lookup_static_host(&query)
        };
        let [v4, v6] = Family::BOTH.map(of);
        let (own, other) = match family {
            Family::V4 => (v4, v6),
            Family::V6 => (v6, v4),
        };
        match (own, other) {
            (Some(own), _) => Some(found(&own).map(|found| Found {
                ttl: Duration::ZERO, // it may change at any time
                ..found
            })),
            (None, Some(_)) => Some(Err(Failure::Empty)),
            (None, None) => None,
        }
    }
}

const fn record_type(family: Family) -> RecordType {
    match family {
        Family::V4 => RecordType::A,
        Family::V6 => RecordType::AAAA,
    }
}

fn found(lookup: &Lookup) -> Answer {
    let records = lookup.answers();
    let ttl = records.iter().map(|record| record.ttl).min().unwrap_or(0);
    let addresses = records.iter().filter_map(|record| record.data.ip_addr());
    let addresses = addresses.map(|address| address.to_canonical());
    let (addresses, unreachable): (Vec<_>, Vec<_>) = addresses.partition(|ip| has_route(*ip));
    if addresses.is_empty() && unreachable.is_empty() {
        return Err(Failure::Empty);
    }
    Ok(Found {
        addresses,
        unreachable,
        ttl: Duration::from_secs(ttl.into()),
    })
}

/// Whether anything leads to `address` from here; nothing is sent.
fn has_route(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let discard = SocketAddr::new(address, 9);
    UdpSocket::bind((any, 0)).is_ok_and(|socket| socket.connect(discard).is_ok())
}

fn failure(error: &NetError) -> Failure {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(records)) => match records.response_code {
            ResponseCode::NXDomain => Failure::Unknown,
            ResponseCode::NoError => Failure::Empty,
            _ => Failure::Server,
        },
        NetError::Timeout => Failure::Timeout,
        _ => Failure::Server,
    }
}
