//! What a worker looks at once a second, beside its requests.

use std::rc::Rc;
use std::time::Duration;

use policy::rate_limit::strain::Resource;

use super::Worker;
use crate::config::Scope;
use crate::live::{Cluster, Live};
use crate::report::Direction;
use crate::stages::breaker;
use crate::stages::rate_limit::Used;
use crate::upstream::Retirement;

/// How often it does.
const SWEEP: Duration = Duration::from_secs(1);

impl Worker {
    /// Ends what is over at breakers, closes resting connections whose time is over, reads the gauges, moves limits that
    /// follow something, and forgets keys of limits that are full again, and services that nobody calls any more.
    pub(super) async fn sweep(self: Rc<Self>) {
        loop {
            tokio::time::sleep(SWEEP).await;
            self.read_calendar();
            self.shortage.observe(self.gauges.read(Resource::Memory));
            let live = Rc::clone(&self.live.borrow());
            breaker::check_all(&self, &live);
            for cluster in live.all() {
                self.sweep_cluster(&live, cluster);
            }
            self.forget_services(&live);
        }
    }

    fn sweep_cluster(&self, live: &Live, cluster: &Rc<Cluster>) {
        let (retirement, now_ns) = (Retirement::of(cluster), self.clock.now_ns());
        for endpoints in &cluster.ports {
            endpoints.visit(self, cluster, |endpoint, _| {
                endpoint.pools.sweep(&retirement, now_ns)
            });
        }
        cluster.limits.resources.observe(&self.gauges);
        let used = |scope: Option<&Scope>| Used {
            cpu: self.gauges.read(Resource::Cpu),
            queue: live.queue_used(cluster, scope),
        };
        cluster.limits.adapt(used, self.moment(now_ns));
        cluster.visit_limits(|_, limiter| limiter.forget_fresh(self.moment(now_ns)));
    }

    /// Forgets what is known of services that are neither in force nor called, where it is too much.
    fn forget_services(&self, live: &Live) {
        self.accounts.forget_beyond(self.max_services);
        let mut callers = self.live_callers.borrow_mut();
        if callers.len() > self.max_services {
            let before = callers.len();
            callers.retain(|service, _| {
                let is_counted = self.accounts.has(Direction::Outbound, service);
                is_counted || live.clusters.contains_key(service)
            });
            let gone = (before - callers.len()) as u64;
            let forgotten = &self.forgotten_callers;
            forgotten.set(forgotten.get() + gone);
        }
    }
}

#[cfg(test)]
mod tests;
