//! The rule that a request falls under, and where that sends it.

use std::rc::Rc;

use policy::Reason;

use super::{Found, Refusal, Route, at_port, missing, reach};
use crate::handle::Wanted;
use crate::live::Cluster;
use crate::request::Request;
use crate::rules::Rule;
use crate::tally::Tally;
use crate::worker::Worker;

/// What the Gateway API answers where a reference leads nowhere.
const LEADS_NOWHERE: u16 = 500;

/// Whether some route governs calls of a service at a port.
pub(crate) fn governs(called: &Route) -> bool {
    !called.cluster.rules.is_empty_at(called.endpoints.port())
}

/// The rule that a call falls under.
pub(crate) fn of<'a>(called: &'a Route, request: &dyn Request) -> Option<&'a Rc<Rule>> {
    let rules = &called.cluster.rules;
    rules.find(called.endpoints.port(), request)
}

/// Where a call goes by the rule that it falls under, whose turn it takes, and what is counted of such calls. Tells
/// whether that took a wait.
pub(crate) async fn follow(
    worker: &Rc<Worker>,
    called: &Route,
    rule: Option<&Rc<Rule>>,
    left_ns: Option<u64>,
) -> Result<(Route, Rc<Tally>, bool), Refusal> {
    let rule = rule.ok_or(Refusal::new(Reason::RouteNone))?;
    let place = rule.next().ok_or_else(|| nowhere(rule))?;
    let look = || look(worker, called, rule, place);
    let (route, has_waited) = reach(worker, left_ns, look, || nowhere(rule)).await?;
    let is_elsewhere = route.cluster.config.service != called.cluster.config.service;
    let route = Route {
        rule: Some(Rc::clone(rule)),
        called: (is_elsewhere && called.cluster.is_scoped).then(|| Rc::clone(&called.cluster)),
        ..route
    };
    let tally = rule.tally(worker, place, &route.cluster);
    Ok((route, tally, has_waited))
}

/// Where the next call under a rule goes, or how it is refused, and what that lacks; nothing takes its turn.
pub(crate) fn foretell(
    worker: &Worker,
    called: &Route,
    rule: &Rule,
) -> Result<Rc<Cluster>, (Refusal, Option<Wanted>)> {
    let place = rule.peek().ok_or_else(|| (nowhere(rule), None))?;
    match look(worker, called, rule, place) {
        Found::Here(route) => Ok(route.cluster),
        Found::Missing(wanted) => Err((Refusal::new(Reason::ConfigMissing), Some(wanted))),
        Found::Nowhere => Err((nowhere(rule), None)),
    }
}

fn look(worker: &Worker, called: &Route, rule: &Rule, place: usize) -> Found {
    let backend = rule.config.backends.get(place);
    let Some((backend, service)) = backend.and_then(|it| Some((it, it.service.as_ref()?))) else {
        return Found::Nowhere;
    };
    let port = backend.port.or(Some(called.endpoints.port()));
    let cluster = match backend.settings {
        Some(_) => rule.overlay(place),
        None => worker.live.borrow().clusters.get(service).cloned(),
    };
    match cluster {
        Some(cluster) => at_port(&cluster, port),
        None => missing(worker, Wanted::Service(service.clone())),
    }
}

/// The reference leads nowhere: to what is no service, or to no port of one.
fn nowhere(rule: &Rule) -> Refusal {
    Refusal {
        status: Some(LEADS_NOWHERE),
        ..Refusal::new(Reason::UpstreamNoEndpoints).by(Some(rule.config.route.clone()))
    }
}
