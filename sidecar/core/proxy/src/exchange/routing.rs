//! Where a request goes: the rule that it falls under, and the service that this leads to.

use std::rc::Rc;

use policy::deadline::Bounds;

use super::Exchange;
use crate::live::Cluster;
use crate::request::Request;
use crate::rules::Rule;
use crate::stages::endpoint::Affinity;
use crate::stages::route::rule;
use crate::stages::{Refusal, deadline, route};
use crate::tally::{Flight, Tally};
use crate::worker::Entry;

impl Exchange {
    pub(super) async fn find_route(
        &mut self,
        entry: &Entry,
        request: &dyn Request,
        bounds: &Bounds,
    ) -> Result<Rc<Cluster>, Refusal> {
        let worker = Rc::clone(&self.worker);
        let left_ns = deadline::left_ns(bounds);
        let (mut route, mut has_waited) = route::find(&worker, entry, request, left_ns).await?;
        let mut tally = None;
        if rule::governs(&route) {
            let rule = rule::of(&route, request).cloned();
            let followed = rule::follow(&worker, &route, rule.as_ref(), left_ns).await;
            if followed.is_err() {
                self.lead_nowhere(&route.cluster, rule);
            }
            let (found, counted, has_waited_more) = followed?;
            (route, has_waited) = (found, has_waited | has_waited_more);
            tally = Some(counted);
        }
        if let Some(entrances) = &route.cluster.entrances {
            route.entrance = entrances.find(request, &worker.namespace).cloned();
            if let Some(entrance) = &route.entrance {
                route.rule = Some(Rc::clone(&entrance.rule));
                tally = Some(Rc::clone(&entrance.tally));
            }
        }
        self.record.rule.clone_from(&route.rule);
        self.enter_cluster(&route.cluster, tally.as_ref());
        if has_waited {
            self.now_ns = worker.clock.now_ns();
        }
        let cluster = Rc::clone(&route.cluster);
        self.tries.read_contract(&cluster.config, request);
        self.affinity = Affinity::of(&cluster.config, request, || self.class()).to(entry.only());
        self.route = Some(route);
        Ok(cluster)
    }

    /// The request goes no further than to the service that was called, though a rule may have decided.
    fn lead_nowhere(&mut self, called: &Cluster, rule: Option<Rc<Rule>>) {
        let (direction, service) = (called.direction, &called.config.service);
        let accounts = &self.worker.accounts;
        let of_rule = |rule: &Rc<Rule>| accounts.of(direction, service, Some(&rule.label));
        let tally = rule.as_ref().map(of_rule);
        self.record.rule = rule;
        self.enter_cluster(called, tally.as_ref());
    }

    /// From now on the request is one to this service, counted there with those of its rule.
    fn enter_cluster(&mut self, cluster: &Cluster, of_rule: Option<&Rc<Tally>>) {
        self.record.service = Some(cluster.config.service.clone());
        let tally = of_rule.unwrap_or(&cluster.tally);
        self.record.flight = Flight::begin(tally, self.record.started_ns);
    }
}
