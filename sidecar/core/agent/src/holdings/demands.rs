//! What a worker wants to know: answered from what is held, restored from what has lapsed, or asked for.

use std::net::SocketAddr;
use std::time::Instant;

use proxy::config::ServiceName;
use proxy::{Supply, Wanted};

use super::{Holdings, behind};
use crate::resource::{Id, Kind};
use crate::subscription::Demand;

/// Who is there to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A control plane.
    Connected,
    /// Nobody, but somebody may come back any moment.
    Reconnecting,
    /// Nobody.
    Alone,
}

/// How a demand stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is answered.
    Answered(Supply),
    /// It is known again: the configuration is another one now.
    Restored,
    /// The control plane is asked.
    Waits,
}

impl Holdings {
    /// What a worker wants to know; asks for it when it is unknown and somebody may answer.
    pub(crate) fn demand(&mut self, wanted: &Wanted, now: Instant, reach: Reach) -> Standing {
        let name = name_of(wanted);
        if self.is_served(&name) {
            self.subscription.demand(&name, now);
            return Standing::Answered(Supply::Applied);
        }
        if self.is_known(&name) {
            self.subscription.demand(&name, now);
            return Standing::Waits; // for its host names: the control plane has said all it knows
        }
        if reach != Reach::Connected && self.restore_lapsed(&name, now) {
            return Standing::Restored;
        }
        let awaits_names = self.awaits_names(&name, now, reach);
        if reach == Reach::Alone && !awaits_names {
            return Standing::Answered(Supply::Unavailable);
        }
        match self.subscription.demand(&name, now) {
            Demand::Missing if awaits_names => Standing::Waits,
            Demand::Missing => Standing::Answered(Supply::Unknown),
            Demand::Refused => Standing::Answered(Supply::Unavailable),
            Demand::Bound if self.is_refused(&name) => Standing::Answered(Supply::Unavailable),
            Demand::Bound | Demand::Asked => Standing::Waits,
        }
    }

    /// Whether `name` is an address that soon may be one where a host name leads.
    fn awaits_names(&self, name: &Id, now: Instant, reach: Reach) -> bool {
        let is_awaited = |id: &Id| self.subscription.awaits(id) && !self.snapshot.has(id);
        let may_be_told = reach != Reach::Alone;
        let is_open = |service: &ServiceName| {
            let mut hosts = self.snapshot.host_names(service);
            (may_be_told && behind(service).iter().any(is_awaited))
                || hosts.any(|host| self.names.is_open(host, now))
        };
        let is_address = name.kind == Kind::Host && name.name.parse::<SocketAddr>().is_ok();
        is_address
            && self.identity.is_captured()
            && self.snapshot.named_services().iter().any(is_open)
    }

    /// Whether what a worker wants to know is in the configuration.
    pub(crate) fn serves(&self, wanted: &Wanted) -> bool {
        self.is_served(&name_of(wanted))
    }

    fn is_served(&self, name: &Id) -> bool {
        self.service(name)
            .is_some_and(|service| self.snapshot.serves(&service, &self.names))
    }

    fn is_known(&self, name: &Id) -> bool {
        self.service(name)
            .is_some_and(|service| self.snapshot.knows(&service))
    }

    fn is_refused(&self, name: &Id) -> bool {
        let refused = |kind, service: &ServiceName| {
            self.rejections
                .contains_key(&Id::new(kind, service.as_str()))
        };
        let behind =
            |service| refused(Kind::Outbound, &service) || refused(Kind::Endpoints, &service);
        self.rejections.contains_key(name) || self.service(name).is_some_and(behind)
    }

    fn restore_lapsed(&mut self, name: &Id, now: Instant) -> bool {
        self.take_up(name);
        if let Some(service) = self.service(name) {
            behind(&service).iter().for_each(|id| self.take_up(id));
        }
        let is_known = self.is_known(name);
        if is_known {
            self.subscription.restore(name, now);
        }
        is_known
    }

    fn take_up(&mut self, id: &Id) {
        if let Some(resource) = self.archive.take(id) {
            let _ = self.snapshot.put(resource, &self.identity); // it was applied before, so nothing is at fault
        }
    }
}

/// What a subscription calls the name that is wanted.
fn name_of(wanted: &Wanted) -> Id {
    match wanted {
        Wanted::Host(host) => Id::new(Kind::Host, host.as_ref()),
        Wanted::Service(service) => Id::new(Kind::Outbound, service.as_str()),
    }
}
