//! The stages before attempts, in the order in which a request meets them.

use std::rc::Rc;

use policy::deadline::Bounds;
use policy::{Criticality, Reason};
use smallvec::SmallVec;

use super::Exchange;
use crate::clock::nanoseconds;
use crate::live::Cluster;
use crate::report::Direction;
use crate::request::Request;
use crate::stages::backpressure::shadow::enter as enter_shadow;
use crate::stages::fault::Injected;
use crate::stages::mirror::Due;
use crate::stages::rate_limit::matching::Governed;
use crate::stages::{Refusal, admission, backpressure, bulkhead, deadline, route};
use crate::trace::{Key, hex};
use crate::worker::Entry;

impl Exchange {
    /// Takes the request through the stages before its attempts.
    pub(crate) async fn admit(
        &mut self,
        entry: &Entry,
        request: &dyn Request,
    ) -> Result<(), Refusal> {
        let bounds = deadline::read(request, self.inherited_ns(), self.elapsed_ns())?;
        let cluster = self.find_route(entry, request, &bounds).await?;
        if self.worker.spared.holds(entry, request) {
            return Ok(());
        }
        entry.admits()?;
        self.fault = self.draw_faults(&cluster, request);
        self.fix_deadline(bounds, &cluster)?;
        self.suffer_fault().await?;
        self.charge_limits(&cluster, request).await?;
        self.enter_front(request).await?;
        self.enter_shadow(request);
        self.admit_call(&cluster)?;
        self.enter_bulkhead(&cluster).await?;
        if let Some(budget) = &cluster.budget {
            budget.borrow_mut().deposit(self.now_ns);
        }
        if let Some(rule) = &self.record.rule {
            self.mirrors = Due::of(rule);
        }
        self.foresee(&cluster, request);
        Ok(())
    }

    /// Takes a connection, of whatever protocol, through the stages that are not about requests.
    pub(crate) async fn admit_connection(
        &mut self,
        entry: &Entry,
        request: &dyn Request,
    ) -> Result<(), Refusal> {
        entry.admits()?;
        let bounds = deadline::read(request, None, 0)?;
        let cluster = self.find_route(entry, request, &bounds).await?;
        self.admit_bytes(&cluster, request)?;
        if let Some(budget) = &cluster.budget {
            budget.borrow_mut().deposit(self.now_ns);
        }
        Ok(())
    }

    /// What rehearsals do to it: those of the service, and those of the one that was called where its rule led on.
    fn draw_faults(&self, cluster: &Cluster, request: &dyn Request) -> Option<Box<Injected>> {
        let route = self.route.as_ref()?;
        let draw = |cluster: &Cluster, way| {
            let governed = Governed { request, way };
            cluster.faults.draw(&self.worker, governed, self.now_ns)
        };
        let there = draw(cluster, route.way());
        match &route.called {
            None => there,
            Some(called) => Injected::both(draw(called, route.way_on()), there),
        }
    }

    /// Fixes the deadline, counted from the request's head; lets the calls of an inbound request find it.
    fn fix_deadline(&mut self, bounds: Bounds, cluster: &Cluster) -> Result<(), Refusal> {
        let policy_ns = cluster.timeouts.request.map(nanoseconds);
        self.deadline = deadline::fix(bounds, policy_ns, self.record.started_ns)?;
        if self.record.direction == Direction::Inbound {
            let deadline_ns = self.deadline.map(|deadline| deadline.at_ns());
            self.hop = self.worker.across.enter(self.keys(), deadline_ns);
        }
        Ok(())
    }

    /// Waits and fails as rehearsals have it. A delay ends with the deadline.
    async fn suffer_fault(&mut self) -> Result<(), Refusal> {
        let Some(fault) = &mut self.fault else {
            return Ok(());
        };
        self.record.would_refuse = fault.would_refuse.take();
        let (delay_ns, abort) = (fault.delay_ns, fault.abort.take());
        if delay_ns > 0 {
            let until_ns = self.now_ns.saturating_add(delay_ns);
            let by_ns = self.deadline.map(|deadline| deadline.at_ns());
            self.record.is_delayed = true;
            self.sleep_until(by_ns.map_or(until_ns, |by_ns| by_ns.min(until_ns)))
                .await;
            if by_ns.is_some_and(|by_ns| by_ns <= self.now_ns) {
                return Err(self.refusal_of(Reason::TimeoutRequest));
            }
        }
        abort.map_or(Ok(()), |refusal| Err(*refusal))
    }

    async fn sleep_until(&mut self, at_ns: u64) {
        let clock = self.worker.clock;
        tokio::time::sleep_until(clock.instant(at_ns)).await;
        self.now_ns = clock.now_ns();
    }

    /// Asks whether a call is kept back; an inbound request is none.
    fn admit_call(&self, cluster: &Cluster) -> Result<(), Refusal> {
        let Some(route) = self.route.as_ref().filter(|_| self.is_outbound()) else {
            return Ok(());
        };
        admission::admit(cluster, &route.endpoints, &self.worker.chance, self.now_ns)
    }

    async fn enter_front(&mut self, request: &dyn Request) -> Result<(), Refusal> {
        let Some(front) = self.route.as_ref().and_then(route::Route::front) else {
            return Ok(());
        };
        let (worker, deadline) = (Rc::clone(&self.worker), self.deadline);
        let arrival = backpressure::arrival(&worker, front, request, deadline);
        if let Some(hop) = &self.hop {
            hop.lend_criticality(arrival.class);
        }
        let (mut permit, has_waited) =
            backpressure::enter(&worker, front, &arrival, deadline, self.now_ns).await?;
        permit.hold_for(|| self.keys());
        self.front = Some(permit);
        if has_waited {
            self.now_ns = worker.clock.now_ns();
        }
        Ok(())
    }

    /// Enters what stands in shadow, unless a limit in shadow would have refused already.
    fn enter_shadow(&mut self, request: &dyn Request) {
        let Some(front) = self.route.as_ref().and_then(route::Route::shadow) else {
            return;
        };
        if self.record.would_refuse.is_some() {
            return;
        }
        let arrival = backpressure::arrival(&self.worker, front, request, self.deadline);
        match enter_shadow(front, &arrival, || self.keys(), self.now_ns) {
            Ok(shadow) => self.shadow = Some(shadow),
            Err(refusal) => self.record.would_refuse = Some(Box::new(refusal)),
        }
    }

    async fn enter_bulkhead(&mut self, cluster: &Cluster) -> Result<(), Refusal> {
        let Some(gate) = &cluster.bulkhead else {
            return Ok(());
        };
        let class = if gate.has_lanes() {
            self.class()
        } else {
            Criticality::default()
        };
        let (permit, has_waited) =
            bulkhead::enter(gate, cluster, class, self.deadline, self.now_ns).await?;
        self.bulkhead = Some(permit);
        if has_waited {
            self.now_ns = self.worker.clock.now_ns();
        }
        Ok(())
    }

    /// What is left of the inbound request that an outbound one serves.
    fn inherited_ns(&self) -> Option<u64> {
        let at_ns = self.worker.across.deadline_ns(self.key?)?;
        Some(at_ns.saturating_sub(self.now_ns))
    }

    /// How much an outbound request matters: as much as the inbound one that it serves.
    pub(super) fn class(&self) -> Criticality {
        let class = self.key.and_then(|key| self.worker.across.criticality(key));
        class.unwrap_or_default()
    }

    /// Every key that the calls of an inbound request may carry.
    fn keys(&self) -> SmallVec<[Key; 2]> {
        let hasher = &self.worker.across.hasher;
        let request_id = match self.record.trace.new_request_id {
            Some(id) => Key::of_id(&hex(id), hasher),
            None => Key::of_id(&self.record.request_id, hasher),
        };
        SmallVec::from_buf([Key::Trace(self.record.trace.id), request_id])
    }
}
