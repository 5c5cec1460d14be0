//! Route: the service behind the name that was called, and the port of it.

pub(crate) mod rule;

use std::rc::Rc;
use std::time::Duration;

use http1::Known;
use policy::Reason;
use policy::method::Method;

use super::Refusal;
use super::endpoint::EndpointSet;
use crate::config::{Protocol, Way};
use crate::entrances::Entrance;
use crate::front::Approach;
use crate::handle::{Supply, Wanted};
use crate::host;
use crate::live::{Cluster, Live};
use crate::name::ServiceName;
use crate::report::Direction;
use crate::request::{Edit, Request};
use crate::rules::Rule;
use crate::worker::{Entry, Worker};

/// Where a request goes.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) cluster: Rc<Cluster>,
    pub(crate) endpoints: Rc<EndpointSet>,
    /// The rule that led there.
    pub(crate) rule: Option<Rc<Rule>>,
    /// The service that was called, where its rule leads to another one and something is said of that way.
    pub(crate) called: Option<Rc<Cluster>>,
    /// The way in by the rule, of a request that is for our own application.
    pub(crate) entrance: Option<Rc<Entrance>>,
}

impl Route {
    /// The way of the request, as the service that it goes to sees it.
    pub(crate) fn way(&self) -> Way<'_> {
        Way {
            rule: self.rule.as_ref().map(|rule| &rule.config),
            leads_on: false,
        }
    }

    /// The same, as the service that was called sees it.
    pub(crate) fn way_on(&self) -> Way<'_> {
        Way {
            leads_on: true,
            ..self.way()
        }
    }

    /// How it comes to what stands in front of our application.
    pub(crate) fn front(&self) -> Option<&Approach> {
        match &self.entrance {
            Some(entrance) => entrance.front.as_ref(),
            None => self.cluster.front.as_ref(),
        }
    }

    /// How it would, if the policies in shadow acted too.
    pub(crate) fn shadow(&self) -> Option<&Approach> {
        match &self.entrance {
            Some(entrance) => entrance.shadow.as_ref(),
            None => self.cluster.shadow.as_ref(),
        }
    }
}

/// What a look at the configuration finds.
enum Found {
    Here(Route),
    /// Nothing, but it may exist.
    Missing(Wanted),
    Nowhere,
}

/// The longest name that DNS knows, and that anybody is asked about.
const LONGEST_HOST: usize = 253;

/// Finds the service that is called; asks for what the configuration lacks. Tells whether that took a wait.
pub(crate) async fn find(
    worker: &Rc<Worker>,
    entry: &Entry,
    request: &dyn Request,
    left_ns: Option<u64>,
) -> Result<(Route, bool), Refusal> {
    if is_loop(worker, entry, request) {
        return Err(Refusal::new(Reason::ProxyLoop));
    }
    let look = || look(worker, entry, request);
    reach(worker, left_ns, look, || Refusal::new(Reason::RouteNone)).await
}

/// What `look` finds, once the configuration has what it lacks; refused as `nowhere` says where there is nothing.
async fn reach(
    worker: &Rc<Worker>,
    left_ns: Option<u64>,
    look: impl Fn() -> Found,
    nowhere: impl Fn() -> Refusal,
) -> Result<(Route, bool), Refusal> {
    let wanted = match look() {
        Found::Here(route) => return Ok((route, false)),
        Found::Nowhere => return Err(nowhere()),
        Found::Missing(wanted) => wanted,
    };
    let left = left_ns.map(Duration::from_nanos);
    let found = match worker.demands.ask(&wanted, left).await {
        Supply::Applied => look(),
        Supply::Unknown => Found::Nowhere,
        Supply::Unavailable => Found::Missing(wanted),
    };
    match found {
        Found::Here(route) => Ok((route, true)),
        Found::Missing(_) => Err(Refusal::new(Reason::ConfigMissing)),
        Found::Nowhere => Err(nowhere()),
    }
}

/// Whether an outbound request went through this sidecar before.
fn is_loop(worker: &Worker, entry: &Entry, request: &dyn Request) -> bool {
    let mut is_loop = false;
    if entry.direction() == Direction::Outbound {
        each_via(request, &mut |via| {
            let mut instances = via.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            is_loop |= instances.any(|instance| instance == worker.instance.as_bytes());
        });
    }
    is_loop
}

/// Signs a request, so that one which comes back is recognised: the instances it went through, and this one.
pub(crate) fn sign(worker: &Worker, request: &dyn Request, edit: &mut dyn Edit) {
    each_via(request, &mut |via| {
        edit.add(Known::BreakwaterVia.as_str(), via);
    });
    edit.add(Known::BreakwaterVia.as_str(), worker.instance.as_bytes());
}

/// Hands every list of instances that the request went through to `each`; most came straight from an application.
fn each_via(request: &dyn Request, each: &mut dyn FnMut(&[u8])) {
    if request.known(Known::BreakwaterVia).is_some() {
        request.visit(Known::BreakwaterVia.as_str(), each);
    }
}

fn look(worker: &Worker, entry: &Entry, request: &dyn Request) -> Found {
    let live = worker.live.borrow();
    match entry {
        Entry::Inbound { .. } | Entry::Application { .. }
            if Method::from_bytes(request.method()) == Method::Connect =>
        {
            Found::Nowhere
        }
        Entry::Inbound { place } => live
            .inbound
            .get(*place)
            .map_or(Found::Nowhere, |cluster| at_port(cluster, None)),
        Entry::Application { address, .. } => live
            .applications
            .get(&address.port())
            .map_or(Found::Nowhere, |cluster| at_port(cluster, None)),
        Entry::Upstream { service, port, .. } => by_name(worker, &live, service, *port),
        Entry::Outbound => by_host(worker, &live, request),
    }
}

fn by_name(worker: &Worker, live: &Live, service: &ServiceName, port: Option<u16>) -> Found {
    match live.clusters.get(service) {
        Some(cluster) => at_port(cluster, port),
        None => missing(worker, Wanted::Service(service.clone())),
    }
}

/// A port of a service, whoever asks for it; no rule is followed there.
pub(crate) async fn reach_port(
    worker: &Rc<Worker>,
    service: &ServiceName,
    port: u16,
) -> Result<Route, Refusal> {
    let look = || by_name(worker, &worker.live.borrow(), service, Some(port));
    let nowhere = || Refusal::new(Reason::UpstreamNoEndpoints);
    let reached = reach(worker, None, look, nowhere).await;
    reached.map(|(route, _)| route)
}

fn by_host(worker: &Worker, live: &Live, request: &dyn Request) -> Found {
    let host = host::canonical(request.host(), &worker.namespace);
    if let Some(cluster) = live.hosts.get(&*host) {
        return at_port(cluster, request.port());
    }
    match std::str::from_utf8(&host) {
        Ok(host) if host.len() <= LONGEST_HOST => missing(worker, Wanted::Host(host.into())),
        _ => Found::Nowhere,
    }
}

/// The port that was named; where none was, 80, else the only one for HTTP.
fn at_port(cluster: &Rc<Cluster>, port: Option<u16>) -> Found {
    let endpoints = match port {
        Some(number) => cluster.port(number),
        None => cluster
            .port(80)
            .or_else(|| cluster.port(the_only(cluster)?)),
    };
    endpoints.map_or(Found::Nowhere, |endpoints| {
        Found::Here(Route {
            cluster: Rc::clone(cluster),
            endpoints: Rc::clone(endpoints),
            rule: None,
            called: None,
            entrance: None,
        })
    })
}

/// Where a call goes that names no port.
pub(crate) fn at_default_port(cluster: &Rc<Cluster>) -> Option<Route> {
    match at_port(cluster, None) {
        Found::Here(route) => Some(route),
        Found::Missing(_) | Found::Nowhere => None,
    }
}

/// The only port on which HTTP may be spoken.
fn the_only(cluster: &Cluster) -> Option<u16> {
    let ports = cluster.config.ports.iter();
    let mut ports = ports.filter(|port| port.protocol != Protocol::Opaque);
    let only = ports.next()?;
    ports.next().is_none().then_some(only.number)
}

fn missing(worker: &Worker, wanted: Wanted) -> Found {
    if worker.demands.is_unknown(&wanted, worker.clock.now_ns()) {
        return Found::Nowhere;
    }
    Found::Missing(wanted)
}
