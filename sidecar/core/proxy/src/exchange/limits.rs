//! What limits make of a request, and of the bytes of its body and of its answer's.

use policy::Moment;

use super::Exchange;
use crate::live::Cluster;
use crate::request::Request;
use crate::stages::Refusal;
use crate::stages::rate_limit::matching::Governed;
use crate::stages::rate_limit::throttle::{self, Throttle};
use crate::stages::rate_limit::{Admission, Limits, Quota};
use crate::tally::increment;
use crate::tunnel::Tunnel;

/// What holds up bytes, if anything does.
type Held = Option<Box<Throttle>>;

impl Exchange {
    /// Passes the limits, after a wait if one of them has a line.
    pub(super) async fn charge_limits(
        &mut self,
        cluster: &Cluster,
        request: &dyn Request,
    ) -> Result<(), Refusal> {
        let left_ns = self.deadline.map(|deadline| deadline.left_ns(self.now_ns));
        let arrival = (self.worker.moment(self.now_ns), left_ns);
        self.admit_bytes(cluster, request)?;
        let admission = self.ask_limits(cluster, request, arrival)?;
        if let Some(refusal) = admission.would_refuse
            && self.record.would_refuse.is_none()
        {
            self.record.would_refuse = Some(Box::new(refusal));
        }
        if admission.would_wait {
            increment(&cluster.foretold.waits);
        }
        self.charges = admission.charges;
        let thin = self.fault.as_mut().and_then(|fault| fault.throttle.take());
        (self.upload, self.download) = self.throttles(cluster, request);
        self.download = Throttle::both(thin, self.download.take());
        if let Some(charges) = self.charges.as_mut().filter(|charges| charges.is_waiting()) {
            charges.turn(self.deadline).await?;
            self.now_ns = self.worker.clock.now_ns();
        }
        [&self.upload, &self.download]
            .into_iter()
            .for_each(throttle::count);
        Ok(())
    }

    /// Asks the limits of the service, and those of the one that was called where its rule led on.
    fn ask_limits(
        &mut self,
        cluster: &Cluster,
        request: &dyn Request,
        arrival: (Moment, Option<u64>),
    ) -> Result<Admission, Refusal> {
        let Some(route) = &self.route else {
            return Ok(Admission::default());
        };
        let (worker, quota) = (&self.worker, &mut self.quota);
        let way = route.way();
        let ask = |limits: &Limits, way, quota: &mut Quota| {
            limits.admit(worker, Governed { request, way }, arrival, quota)
        };
        let Some(called) = &route.called else {
            return ask(&cluster.limits, way, quota);
        };
        let here = ask(&called.limits, route.way_on(), quota).map_err(|refusal| {
            let there = Governed { request, way };
            cluster.limits.prolong(refusal, there, arrival.0)
        })?;
        Ok(here.and(ask(&cluster.limits, way, quota)?))
    }

    /// Asks whether the bytes of the request, and of its answer, have a place among those that limits tell apart.
    pub(super) fn admit_bytes(
        &self,
        cluster: &Cluster,
        request: &dyn Request,
    ) -> Result<(), Refusal> {
        let Some(route) = &self.route else {
            return Ok(());
        };
        let ask = |cluster: &Cluster, way| {
            let governed = Governed { request, way };
            cluster.uploads.admit_bytes(&self.worker, governed)?;
            cluster.downloads.admit_bytes(&self.worker, governed)
        };
        ask(cluster, route.way())?;
        let called = route.called.as_ref();
        called.map_or(Ok(()), |called| ask(called, route.way_on()))
    }

    /// What holds up the bytes of the request's body, and of its answer's.
    fn throttles(&self, cluster: &Cluster, request: &dyn Request) -> (Held, Held) {
        let Some(route) = &self.route else {
            return (None, None);
        };
        let of = |cluster: &Cluster, way| {
            let governed = Governed { request, way };
            let throttle = |limits: &Limits| limits.throttle(&self.worker, governed);
            (throttle(&cluster.uploads), throttle(&cluster.downloads))
        };
        let (upload, download) = of(cluster, route.way());
        let Some(called) = &route.called else {
            return (upload, download);
        };
        let on = of(called, route.way_on());
        (Throttle::both(on.0, upload), Throttle::both(on.1, download))
    }

    /// A tunnel for a connection, as fast as the limits let its bytes through.
    pub(crate) fn tunnel(&self, request: &dyn Request) -> Tunnel {
        let route = self.route.as_ref();
        let held = route.map(|route| self.throttles(&route.cluster, request));
        let (up, down) = held.unwrap_or_default();
        [&up, &down].into_iter().for_each(throttle::count);
        Tunnel::new(up, down)
    }
}
