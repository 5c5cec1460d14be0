//! The rules of a service's routes in force: which of them a request falls under, and whose turn it is there.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use http1::canonical_path;
use policy::bulkhead::Flow;
use policy::route::{self, Path, Table};
use policy::split::Turns;

use crate::config::{PolicyRef, RouteBackend, RouteRule, ServiceName};
use crate::live::{Cluster, Overlay};
use crate::request::Request;
use crate::stages::mirror::Mirror;
use crate::stages::rate_limit::subject;
use crate::tally::Tally;
use crate::worker::Worker;

/// Every rule of a service, by the ports they are for.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// Sorted by route, those of one in their order.
    rules: Vec<Rc<Rule>>,
    /// Which of them a request to a port falls under; ports without rules are not in it.
    ports: Vec<(u16, Table, Vec<usize>)>,
}

/// One rule, and its turns.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) config: RouteRule,
    /// How people and metrics name it: `namespace/route/rule`.
    pub(crate) label: Rc<str>,
    /// The paths of its requests, as people read them: never a path that came.
    pub(crate) paths: Box<str>,
    /// What calls by its route take turns as, where they wait for connections.
    pub(crate) flow: Flow,
    turns: Rc<RefCell<Turns>>,
    /// Where copies of its requests go.
    pub(crate) mirrors: Vec<Rc<Mirror>>,
    /// In the order of its backends: what is counted of its requests to each.
    tallies: Vec<OnceCell<Rc<Tally>>>,
    /// In the order of its backends: these as its requests meet them, where it has settings of its own.
    pub(crate) overlays: RefCell<Vec<Option<Overlay>>>,
    /// What other rules of its route made of services before, until its own are laid.
    pub(crate) former: RefCell<Vec<Overlay>>,
}

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.label)
    }
}

impl Rules {
    /// The rules of `config` for calls of `ports`. A rule whose backends and weights stay goes on with its turns.
    pub(crate) fn new(
        config: &[RouteRule],
        ports: impl Iterator<Item = u16>,
        old: Option<&Self>,
    ) -> Self {
        let old = old.map_or(&[][..], |old| &old.rules);
        let rules: Vec<_> = config.iter().map(|rule| Rule::new(rule, old)).collect();
        let table = |port: u16| {
            let places: Vec<usize> = (0..rules.len())
                .filter(|&place| rules[place].config.is_for(port))
                .collect();
            let matches = |place: &usize| rules[*place].config.matches.clone();
            let matches: Vec<_> = places.iter().map(matches).collect();
            (!places.is_empty()).then(|| (port, Table::new(&matches), places))
        };
        Self {
            ports: ports.filter_map(table).collect(),
            rules,
        }
    }

    /// Whether no rule is for calls of that port.
    pub(crate) fn is_empty_at(&self, port: u16) -> bool {
        self.ports.iter().all(|(number, ..)| *number != port)
    }

    /// Every rule.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rc<Rule>> {
        self.rules.iter()
    }

    /// The rule that a request to that port falls under.
    pub(crate) fn find(&self, port: u16, request: &dyn Request) -> Option<&Rc<Rule>> {
        self.rules.get(self.find_place(port, request)?)
    }

    /// Its place among all of them.
    pub(crate) fn find_place(&self, port: u16, request: &dyn Request) -> Option<usize> {
        let (_, table, places) = self.ports.iter().find(|(number, ..)| *number == port)?;
        let place = table.find(&Asked {
            path: canonical_path(request.path()),
            request,
        })?;
        places.get(place).copied()
    }
}

impl Rule {
    fn new(config: &RouteRule, old: &[Rc<Self>]) -> Rc<Self> {
        let of_route = old
            .iter()
            .filter(|rule| rule.config.route.is_same_object(&config.route));
        let (mut same, others): (Vec<_>, Vec<_>) =
            of_route.partition(|rule| rule.config.name == config.name);
        let old = same.pop();
        let former = others
            .into_iter()
            .flat_map(|rule| rule.overlays.borrow().clone());
        let former = former.flatten().collect();
        let mirrored = old.map_or(&[][..], |old| &old.mirrors);
        let mirrors = config.mirrors.iter();
        let mirrors = mirrors
            .map(|mirror| Mirror::new(mirror, mirrored))
            .collect();
        let overlays = old.map(|old| old.overlays_of(config));
        let old = old.filter(|old| old.has_backends_of(config));
        Rc::new(Self {
            config: config.clone(),
            label: format!("{}/{}", config.route, config.name).into(),
            paths: paths_of(&config.matches).into(),
            flow: flow_of(&config.route),
            turns: old.map(|old| Rc::clone(&old.turns)).unwrap_or_default(),
            mirrors,
            tallies: config.backends.iter().map(|_| OnceCell::new()).collect(),
            overlays: RefCell::new(overlays.unwrap_or_default()),
            former: RefCell::new(former),
        })
    }

    /// What it makes of the services that the same rule leads to now, whatever their weights.
    fn overlays_of(&self, config: &RouteRule) -> Vec<Option<Overlay>> {
        let own = self.overlays.borrow();
        let of = |backend: &RouteBackend| {
            let mut known = self.config.backends.iter().zip(own.iter());
            let (_, overlay) = known
                .find(|(known, overlay)| overlay.is_some() && known.service == backend.service)?;
            overlay.clone()
        };
        config.backends.iter().map(of).collect()
    }

    fn has_backends_of(&self, config: &RouteRule) -> bool {
        let (own, others) = (&self.config.backends, &config.backends);
        own.len() == others.len()
            && own
                .iter()
                .zip(others)
                .all(|(one, other)| one.has_turns_of(other))
    }

    /// Whether some of its requests go to a service.
    pub(crate) fn leads_to(&self, service: &ServiceName) -> bool {
        let mut backends = self.config.backends.iter();
        backends.any(|backend| backend.service.as_ref() == Some(service))
    }

    /// The place of the backend whose turn it is; none when nobody has a weight.
    pub(crate) fn next(&self) -> Option<usize> {
        self.take_turn(&mut self.turns.borrow_mut())
    }

    /// The same, and it stays that one's turn.
    pub(crate) fn peek(&self) -> Option<usize> {
        self.take_turn(&mut self.turns.borrow().clone())
    }

    fn take_turn(&self, turns: &mut Turns) -> Option<usize> {
        let backends = &self.config.backends;
        let weight = |place: usize| backends.get(place).map_or(0, |backend| backend.weight);
        turns.next(backends.len(), weight)
    }

    /// What is counted of its requests to the backend at a place, which is that service.
    pub(crate) fn tally(&self, worker: &Worker, place: usize, service: &Cluster) -> Rc<Tally> {
        let find = || {
            worker.accounts.of(
                service.direction,
                &service.config.service,
                Some(&self.label),
            )
        };
        let known = self.tallies.get(place);
        known.map_or_else(find, |tally| Rc::clone(tally.get_or_init(find)))
    }

    /// The backend at a place as requests of the rule meet it, if the rule has settings of its own.
    pub(crate) fn overlay(&self, place: usize) -> Option<Rc<Cluster>> {
        let overlays = self.overlays.borrow();
        let overlay = overlays.get(place)?.as_ref()?;
        Some(Rc::clone(&overlay.cluster))
    }
}

/// The paths that a rule names, sorted, each once.
fn paths_of(rule: &route::Rule) -> String {
    let any = || "*".to_owned();
    let matches = rule.matches.iter();
    let paths = matches.map(|matcher| matcher.path.as_ref().map_or_else(any, Path::to_string));
    let paths: BTreeSet<String> = paths.collect();
    match paths.is_empty() {
        true => any(),
        false => paths.into_iter().collect::<Vec<_>>().join(" or "),
    }
}

/// The same for every rule of a route, in every configuration.
fn flow_of(route: &PolicyRef) -> Flow {
    let mut flow = DefaultHasher::new();
    (&route.kind, &route.namespace, &route.name).hash(&mut flow);
    flow.finish()
}

/// A request as rules see it.
struct Asked<'a> {
    path: Cow<'a, [u8]>,
    request: &'a dyn Request,
}

impl route::Request for Asked<'_> {
    fn method(&self) -> &[u8] {
        self.request.method()
    }

    fn path(&self) -> &[u8] {
        &self.path
    }

    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        // HTTP/2 may cut the one field of cookies into crumbs (RFC 9113, 8.2.3).
        let between: &[u8] = if name == "cookie" { b"; " } else { b"," };
        let mut all: Option<Vec<u8>> = None;
        self.request.visit(name, &mut |value| match &mut all {
            Some(all) => {
                all.extend_from_slice(between);
                all.extend_from_slice(value);
            }
            None => all = Some(value.to_vec()),
        });
        all.map(Cow::Owned)
    }

    fn query(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        subject::query(self.request, name).map(Cow::Borrowed)
    }
}

#[cfg(test)]
mod tests;
