//! The ways by which requests come in: which rule of which route led a request to a service of ours.
//!
//! Nobody is believed who says so himself. The rules are those that callers go by, and a request falls under the same
//! one here, unless a filter of the rule changed a header that rules look at.

use std::rc::Rc;
use std::sync::Arc;

use crate::config::{Inbound, InboundRoutes, ServiceName};
use crate::front::Approach;
use crate::host;
use crate::live::Fronts;
use crate::report::Direction;
use crate::request::Request;
use crate::rules::{Rule, Rules};
use crate::tally::Tally;
use crate::worker::Worker;

/// The port of a request that names none.
const HTTP: u16 = 80;

/// The routes that lead to one service of ours, as far as something is said of them here.
#[derive(Debug)]
pub(crate) struct Entrances {
    inbound: Arc<Inbound>,
    /// In the order of `inbound.routes`.
    routes: Vec<(Rules, Vec<Rc<Entrance>>)>,
}

/// The way in by one rule.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) rule: Rc<Rule>,
    pub(crate) tally: Rc<Tally>,
    /// What stands in front of the application for its requests.
    pub(crate) front: Option<Approach>,
    /// What would stand there if the policies in shadow acted too.
    pub(crate) shadow: Option<Approach>,
}

impl Entrances {
    /// What `inbound` says; none where it says nothing. What `old` made of the same is kept.
    pub(crate) fn new(
        worker: &Worker,
        inbound: &Arc<Inbound>,
        (fronts, shadows): (&Fronts, &Fronts),
        old: Option<&Rc<Self>>,
    ) -> Option<Rc<Self>> {
        if inbound.routes.is_empty() {
            return None;
        }
        let same = old.filter(|old| Arc::ptr_eq(&old.inbound, inbound));
        let entrance = |rule: &Rc<Rule>| {
            Rc::new(Entrance {
                front: fronts.by(&inbound.service, &rule.config).cloned(),
                shadow: shadows.by(&inbound.service, &rule.config).cloned(),
                tally: worker
                    .accounts
                    .of(Direction::Inbound, &inbound.service, Some(&rule.label)),
                rule: Rc::clone(rule),
            })
        };
        let routes = |routes: &InboundRoutes| {
            let rules = Rules::new(&routes.rules, routes.ports.iter().copied(), None);
            let entrances = rules.iter().map(entrance).collect();
            (rules, entrances)
        };
        let build = || {
            Rc::new(Self {
                routes: inbound.routes.iter().map(routes).collect(),
                inbound: Arc::clone(inbound),
            })
        };
        Some(same.map_or_else(build, Rc::clone))
    }

    /// Every way in, with the service whose calls come by it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ServiceName, &Rc<Entrance>)> {
        let routes = self.inbound.routes.iter().zip(&self.routes);
        routes.flat_map(|(told, (_, entrances))| {
            let service = &told.service;
            entrances.iter().map(move |entrance| (service, entrance))
        })
    }

    /// The way in by the rule that a request falls under.
    pub(crate) fn find(&self, request: &dyn Request, namespace: &str) -> Option<&Rc<Entrance>> {
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
        let (rules, entrances) = self.routes.get(place)?;
        entrances.get(rules.find_place(port, request)?)
    }
}

/// The port that was called, as its caller takes it: the one that is named, else 80, else the only one.
fn called_port(ports: &[u16], named: Option<u16>) -> Option<u16> {
    let has = |port: &u16| ports.contains(port);
    let named = named.filter(has).or(Some(HTTP).filter(has));
    named.or_else(|| ports.first().copied())
}
