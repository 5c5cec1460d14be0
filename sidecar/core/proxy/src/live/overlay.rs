//! A service as the requests of one rule of a route meet it: its endpoints, and what the rule says otherwise.
//!
//! A block that says the same for both has one machine for both; so have the rules of one route among each other. Only
//! what is said otherwise has a machine of its own, and a breaker that each route has for itself. A retry budget is one for
//! all routes of a service that say the same of it, whatever else they say of retries.

use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::build::{admission, breaker, budget, recent};
use super::{Cluster, Live, Shared};
use crate::config::{self, RouteSettings, ServiceName};
use crate::gate::Gate;
use crate::report::Direction;
use crate::rules::{Rule, Rules};
use crate::stages::fault::Faults;
use crate::stages::rate_limit::Limits;
use crate::worker::Worker;

/// A service under the settings of a rule.
#[derive(Clone, Debug)]
pub(crate) struct Overlay {
    pub(crate) cluster: Rc<Cluster>,
    settings: Arc<RouteSettings>,
    /// Whose machines it shares where they say the same; weak, since the service holds its rules, and these what they lay.
    kin: Kin<Weak<Cluster>>,
}

/// The service, and what rules before this one make of it.
#[derive(Clone, Debug)]
struct Kin<P> {
    /// Those of its route.
    of_route: Vec<P>,
    /// Those of every route.
    of_all: Vec<P>,
}

/// Which of its kin an overlay shares a machine with.
#[derive(Clone, Copy)]
enum Among {
    Route,
    All,
}

impl Live {
    /// Lays the settings of every rule over the services that it leads to.
    pub(super) fn lay_over(&mut self, worker: &Worker, shared: &Shared) {
        let called: Vec<_> = self.clusters.values().cloned().collect();
        for cluster in called {
            let mut laid: Vec<(Rc<Rule>, Rc<Cluster>)> = Vec::new();
            for rule in cluster.rules.iter() {
                for cluster in self.lay_rule(worker, rule, &laid, shared) {
                    self.keep_shared(&cluster);
                    self.ruled.push(Rc::clone(&cluster));
                    laid.push((Rc::clone(rule), cluster));
                }
            }
            self.name_machines(&cluster.rules, &laid);
        }
    }

    /// Names what some rules have for themselves: each breaker, and each bulkhead.
    fn name_machines(&mut self, rules: &Rules, laid: &[(Rc<Rule>, Rc<Cluster>)]) {
        for (rule, cluster) in laid {
            let named = |having: &dyn Fn(&Cluster) -> bool| {
                self.name_of(rules, laid, (rule, &cluster.config.service), having)
            };
            if let Some(breaker) = self.apart(cluster, |cluster| cluster.breaker.as_ref()) {
                let has_it = |other: &Cluster| is(other.breaker.as_ref(), breaker);
                breaker.borrow_mut().route = Some(named(&has_it));
            }
            let gate = self.apart(cluster, |cluster| cluster.bulkhead.as_ref());
            let is_known = |gate: &Rc<Gate>| {
                let mut known = self.route_bulkheads.iter();
                known.any(|(service, _, known)| {
                    *service == cluster.config.service && Rc::ptr_eq(known, gate)
                })
            };
            if let Some(gate) = gate.filter(|gate| !is_known(gate)) {
                let has_it = |other: &Cluster| is(other.bulkhead.as_ref(), gate);
                let (service, name) = (cluster.config.service.clone(), named(&has_it));
                self.route_bulkheads.push((service, name, Rc::clone(gate)));
            }
        }
    }

    /// A machine that a rule does not share with all requests of its service.
    fn apart<'a, T>(
        &self,
        ruled: &'a Cluster,
        machine: impl Fn(&Cluster) -> Option<&Rc<T>>,
    ) -> Option<&'a Rc<T>> {
        let all = self.clusters.get(&ruled.config.service);
        let of_all = all.and_then(|all| machine(all));
        machine(ruled).filter(|own| !is(of_all, own))
    }

    /// How people name what some rules have for themselves: by the route if all its rules that lead to the service have
    /// it, else by the first that does.
    fn name_of(
        &self,
        rules: &Rules,
        laid: &[(Rc<Rule>, Rc<Cluster>)],
        (rule, service): (&Rule, &ServiceName),
        has_it: &dyn Fn(&Cluster) -> bool,
    ) -> Arc<str> {
        let having = laid.iter().filter(|(_, cluster)| has_it(cluster));
        let having: Vec<_> = having.map(|(rule, _)| rule).collect();
        let route = &rule.config.route;
        let mut of_route = rules
            .iter()
            .filter(|other| other.config.route.is_same_object(route) && other.leads_to(service));
        let is_whole = of_route.all(|rule| having.iter().any(|one| Rc::ptr_eq(one, rule)));
        match having.first() {
            Some(first) if !is_whole => first.to_string().into(),
            _ => route.to_string().into(),
        }
    }

    /// Lays the settings of one rule; `laid` is what those before it made.
    fn lay_rule(
        &self,
        worker: &Worker,
        rule: &Rc<Rule>,
        laid: &[(Rc<Rule>, Rc<Cluster>)],
        shared: &Shared,
    ) -> Vec<Rc<Cluster>> {
        let (old, former) = (rule.overlays.take(), rule.former.take());
        let lay = |(place, backend): (usize, &config::RouteBackend)| {
            let settings = backend.settings.as_ref()?;
            let service = self.clusters.get(backend.service.as_ref()?)?;
            let old = Before {
                own: old.get(place).and_then(Option::as_ref),
                of_route: &former,
            };
            let kin = Kin::new(rule, service, laid);
            Some(self.lay(worker, settings, kin, old, shared))
        };
        let overlays: Vec<_> = rule.config.backends.iter().enumerate().map(lay).collect();
        let made = overlays.iter().flatten();
        let made = made.map(|overlay| Rc::clone(&overlay.cluster)).collect();
        rule.overlays.replace(overlays);
        made
    }

    fn lay(
        &self,
        worker: &Worker,
        settings: &Arc<RouteSettings>,
        kin: Kin<Rc<Cluster>>,
        old: Before<'_>,
        shared: &Shared,
    ) -> Overlay {
        if let Some(old) = old.own.filter(|old| old.is_of(settings, &kin)) {
            return old.clone();
        }
        let service = &kin.of_all[0];
        let config = Arc::new(settings.over(&service.config));
        let heirs = Heirs {
            config: &config,
            kin: &kin,
            old,
        };
        let cluster = Cluster {
            admission: admission(&config, heirs.of_admission()),
            bulkhead: self.bulkhead(&config, heirs.of_bulkhead(), shared),
            budget: budget(worker, &config, heirs.of_budget()),
            breaker: breaker(&config, heirs.of_breaker()),
            recent: recent(&config, heirs.of_latencies()),
            foreseen: self
                .foreseen(
                    worker,
                    &config,
                    old.own.map(|old| &*old.cluster),
                    &service.foretold,
                    shared,
                )
                .map(|foreseen| at_endpoints_of(foreseen, service)),
            ..self.sharing(worker, &config, service)
        };
        Overlay {
            cluster: Rc::new(cluster),
            settings: Arc::clone(settings),
            kin: kin.downgrade(),
        }
    }

    /// `base` under other figures: all that a rule cannot say otherwise is one for both.
    fn sharing(&self, worker: &Worker, config: &Arc<config::Cluster>, base: &Cluster) -> Cluster {
        let at = worker.moment(worker.clock.now_ns());
        let limits = &config.limits;
        let members = self.members(worker, Direction::Outbound, &config.service);
        let timeouts = config.timeouts.as_ref().map(|block| block.params.clone());
        Cluster {
            direction: Direction::Outbound,
            timeouts: timeouts.unwrap_or_default(),
            tally: Rc::clone(&base.tally),
            limits: Limits::new(limits, members, Some(&base.limits), at),
            faults: Faults::new(&config.faults, Some(&base.faults)),
            doors: Limits::of_connections(limits, members, Some(&base.doors), at),
            uploads: Limits::of_bytes(limits, |rules| &rules.uploads, Some(&base.uploads), at),
            downloads: Limits::of_bytes(
                limits,
                |rules| &rules.downloads,
                Some(&base.downloads),
                at,
            ),
            front: None,
            shadow: None,
            foreseen: None,
            foretold: Rc::clone(&base.foretold),
            is_shadow: false,
            admission: Rc::clone(&base.admission),
            bulkhead: None,
            connections: base.connections.clone(),
            budget: None,
            breaker: None,
            recent: None,
            ports: base.ports.clone(),
            rules: Rules::default(),
            is_scoped: false,
            entrances: None,
            config: Arc::clone(config),
        }
    }
}

/// Whether that is the machine.
fn is<T>(found: Option<&Rc<T>>, machine: &Rc<T>) -> bool {
    found.is_some_and(|found| Rc::ptr_eq(found, machine))
}

/// What is foreseen of the requests of a rule, at the endpoints as they are foreseen of its service.
fn at_endpoints_of(mut foreseen: Rc<Cluster>, service: &Cluster) -> Rc<Cluster> {
    if let (Some(own), Some(shadow)) = (Rc::get_mut(&mut foreseen), &service.foreseen) {
        own.ports.clone_from(&shadow.ports);
        own.connections.clone_from(&shadow.connections);
    }
    foreseen
}

impl Overlay {
    /// Whether it is what these settings make of these clusters.
    fn is_of(&self, settings: &Arc<RouteSettings>, kin: &Kin<Rc<Cluster>>) -> bool {
        let (own, others) = (&self.kin.of_all, &kin.of_all);
        let is_same =
            |(one, other): (&Weak<Cluster>, &Rc<Cluster>)| one.as_ptr() == Rc::as_ptr(other);
        Arc::ptr_eq(&self.settings, settings)
            && own.len() == others.len()
            && own.iter().zip(others).all(is_same)
    }
}

impl Kin<Rc<Cluster>> {
    /// Of what a rule makes of a service; `laid` is what those before it made.
    fn new(rule: &Rule, service: &Rc<Cluster>, laid: &[(Rc<Rule>, Rc<Cluster>)]) -> Self {
        let mut of_all = vec![Rc::clone(service)];
        let mut of_route = of_all.clone();
        for (other, cluster) in laid {
            if cluster.config.service != service.config.service {
                continue;
            }
            of_all.push(Rc::clone(cluster));
            if other.config.route.is_same_object(&rule.config.route) {
                of_route.push(Rc::clone(cluster));
            }
        }
        Self { of_route, of_all }
    }

    fn downgrade(&self) -> Kin<Weak<Cluster>> {
        let weak = |clusters: &[Rc<Cluster>]| clusters.iter().map(Rc::downgrade).collect();
        Kin {
            of_route: weak(&self.of_route),
            of_all: weak(&self.of_all),
        }
    }
}

impl<P> Kin<P> {
    fn among(&self, among: Among) -> &[P] {
        match among {
            Among::Route => &self.of_route,
            Among::All => &self.of_all,
        }
    }
}

/// What there was before of a rule that makes something of a service.
#[derive(Clone, Copy)]
struct Before<'a> {
    /// What the rule made of the service.
    own: Option<&'a Overlay>,
    /// What the other rules of its route made, of whatever service: rules without a name are told apart by their places,
    /// which change.
    of_route: &'a [Overlay],
}

/// Whose machines a new overlay goes on with.
#[derive(Clone, Copy)]
struct Heirs<'a> {
    config: &'a config::Cluster,
    kin: &'a Kin<Rc<Cluster>>,
    old: Before<'a>,
}

impl<'a> Heirs<'a> {
    fn of_admission(self) -> Option<&'a Cluster> {
        let machine = |cluster: &Cluster| Some(Rc::as_ptr(&cluster.admission).cast());
        self.find(
            Among::Route,
            |one, other| one.admission == other.admission,
            machine,
        )
    }

    fn of_bulkhead(self) -> Option<&'a Cluster> {
        let machine = |cluster: &Cluster| Some(Rc::as_ptr(cluster.bulkhead.as_ref()?).cast());
        self.find(
            Among::Route,
            |one, other| one.bulkhead == other.bulkhead,
            machine,
        )
    }

    fn of_budget(self) -> Option<&'a Cluster> {
        let machine = |cluster: &Cluster| Some(Rc::as_ptr(cluster.budget.as_ref()?).cast());
        self.find(
            Among::All,
            |one, other| one.budget() == other.budget(),
            machine,
        )
    }

    fn of_latencies(self) -> Option<&'a Cluster> {
        let machine = |cluster: &Cluster| Some(Rc::as_ptr(cluster.recent.as_ref()?).cast());
        let is_same = |one: &config::Cluster, other: &config::Cluster| {
            (&one.retry, &one.hedge) == (&other.retry, &other.hedge)
        };
        self.find(Among::Route, is_same, machine)
    }

    fn of_breaker(self) -> Option<&'a Cluster> {
        let block = self.config.service_breaker.as_ref();
        let is_per_route = block.is_some_and(|block| block.params.is_per_route);
        let machine = |cluster: &Cluster| Some(Rc::as_ptr(cluster.breaker.as_ref()?).cast());
        let is_same = |one: &config::Cluster, other: &config::Cluster| {
            one.service_breaker == other.service_breaker
        };
        let mut kin = self.kin.of_route.iter().skip(usize::from(is_per_route));
        let alike = kin.find(|cluster| is_same(&cluster.config, self.config));
        let old = || self.old(Among::Route, is_same, machine);
        alike.or_else(old).map(Rc::as_ref)
    }

    /// Whoever says the same among its kin, or else the old overlay, if its machine was its own, or one of its route that
    /// said the same.
    fn find(
        self,
        among: Among,
        is_same: impl Fn(&config::Cluster, &config::Cluster) -> bool,
        machine: impl Fn(&Cluster) -> Option<*const ()>,
    ) -> Option<&'a Cluster> {
        let mut kin = self.kin.among(among).iter();
        let alike = kin.find(|cluster| is_same(&cluster.config, self.config));
        let old = || self.old(among, is_same, machine);
        alike.or_else(old).map(Rc::as_ref)
    }

    /// The old overlay, if its machine was its own, or one of its route that said the same of the service.
    fn old(
        self,
        among: Among,
        is_same: impl Fn(&config::Cluster, &config::Cluster) -> bool,
        machine: impl Fn(&Cluster) -> Option<*const ()>,
    ) -> Option<&'a Rc<Cluster>> {
        let is_own = |old: &&Overlay| {
            let own = machine(&old.cluster);
            let mut kin = old.kin.among(among).iter().filter_map(Weak::upgrade);
            own.is_some() && kin.all(|cluster| machine(&cluster) != own)
        };
        let says_the_same = |former: &&Overlay| {
            let known = &former.cluster.config;
            known.service == self.config.service && is_same(known, self.config)
        };
        let own = self.old.own.filter(is_own);
        let former = || {
            let mut former = self.old.of_route.iter().filter(says_the_same);
            former.find(is_own)
        };
        own.or_else(former).map(|old| &old.cluster)
    }
}

#[cfg(test)]
mod tests;
