//! The ways by which requests come in: which rule of which route led a request to a service of ours.
//!
//! Nobody is believed who says so himself. The rules are those that callers go by, and a request falls under the same
//! one here, unless a filter of the rule changed a header that rules look at.

use std::rc::Rc;
use std::sync::Arc;

use crate::config::{Inbound, InboundRoutes};
use crate::host;
use crate::request::Request;
use crate::rules::{Rule, Rules};

/// The port of a request that names none.
const HTTP: u16 = 80;

/// The routes that lead to one service of ours, as far as something is said of them here.
#[derive(Debug)]
pub(crate) struct Entrances {
    inbound: Arc<Inbound>,
    /// In the order of `inbound.routes`.
    rules: Vec<Rules>,
}

impl Entrances {
    /// What `inbound` says; none where it says nothing. What `old` made of the same is kept.
    pub(crate) fn new(inbound: &Arc<Inbound>, old: Option<&Rc<Self>>) -> Option<Rc<Self>> {
        if inbound.routes.is_empty() {
            return None;
        }
        let same = old.filter(|old| Arc::ptr_eq(&old.inbound, inbound));
        let build = || {
            let rules = inbound.routes.iter();
            Rc::new(Self {
                rules: rules
                    .map(|routes| Rules::new(&routes.rules, routes.ports.iter().copied(), None))
                    .collect(),
                inbound: Arc::clone(inbound),
            })
        };
        Some(same.map_or_else(build, Rc::clone))
    }

    /// The rule that a request falls under.
    pub(crate) fn find(&self, request: &dyn Request, namespace: &str) -> Option<Rc<Rule>> {
        let host = host::canonical(request.host(), namespace);
        let has_name = |routes: &InboundRoutes| {
            let mut hosts = routes.hosts.iter();
            hosts.any(|name| name.as_bytes() == &*host)
        };
        let all = &self.inbound.routes;
        let place = all.iter().position(has_name).or_else(|| {
            let own = &self.inbound.service;
            all.iter().position(|routes| routes.service == *own)
        })?;
        let port = called_port(&all[place].ports, request.port())?;
        self.rules[place].find(port, request).cloned()
    }
}

/// The port that was called, as its caller takes it: the one that is named, else 80, else the only one.
fn called_port(ports: &[u16], named: Option<u16>) -> Option<u16> {
    let has = |port: &u16| ports.contains(port);
    let named = named.filter(has).or(Some(HTTP).filter(has));
    named.or_else(|| ports.first().copied())
}
