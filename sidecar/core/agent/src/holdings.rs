//! All that a sidecar holds of the control plane's, and how each event changes it. Pure.
//!
//! It joins what is asked for (`subscription`), what is applied (`snapshot`), what has lapsed (`archive`) and what
//! was refused. A resource is taken whole or not at all; a refused one keeps its older version and holds up no other.

mod demands;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use proxy::config::{Config, ServiceName};

use crate::archive::Archive;
use crate::identity::{Identity, Workload};
use crate::names::{Answer, Names, Query};
use crate::resource::{Id, Kind, Rejection, Resource};
use crate::saved::{Saved, SavedHost};
use crate::snapshot::Snapshot;
use crate::subscription::{Changes, Subscription};
pub(crate) use demands::{Reach, Standing};

/// What changed since the last response.
#[derive(Debug, Default)]
pub(crate) struct Response {
    pub(crate) revision: i64,
    pub(crate) resources: Vec<Resource>,
    pub(crate) removed: Vec<Id>,
    pub(crate) missing: Vec<Id>,
}

/// What a response did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Whether the configuration is another one now.
    pub(crate) is_changed: bool,
    /// Resources of the response that were refused.
    pub(crate) rejections: Vec<Rejection>,
}

/// Everything held.
#[derive(Debug)]
pub(crate) struct Holdings {
    identity: Identity,
    subscription: Subscription,
    snapshot: Snapshot,
    archive: Archive,
    names: Names,
    rejections: BTreeMap<Id, Rejection>,
    revision: i64,
}

impl Holdings {
    /// Holds nothing yet; asks for the mesh, our own services and `upstreams`.
    pub(crate) fn new(
        identity: Identity,
        upstreams: impl IntoIterator<Item = ServiceName>,
    ) -> Self {
        let own = identity
            .services()
            .iter()
            .map(|service| Id::new(Kind::Inbound, service.as_str()));
        let called = upstreams
            .into_iter()
            .map(|service| Id::new(Kind::Outbound, service.as_str()));
        let workload = identity.workload().map(Workload::id);
        let mesh = std::iter::once(Id::new(Kind::Mesh, "default"));
        Self {
            subscription: Subscription::new(mesh.chain(workload).chain(own).chain(called)),
            identity,
            snapshot: Snapshot::default(),
            archive: Archive::default(),
            names: Names::default(),
            rejections: BTreeMap::new(),
            revision: 0,
        }
    }

    /// Takes up what was applied when the sidecar last ran.
    pub(crate) fn restore(&mut self, saved: Saved, now: Instant) {
        for resource in decoded(saved.lapsed) {
            self.archive.put(resource);
        }
        for resource in decoded(saved.applied) {
            let id = resource.id.clone();
            if self.snapshot.put(resource, &self.identity).is_ok() && id.kind == Kind::Host {
                self.subscription.restore(&id, now);
            }
        }
        self.adopt();
        for service in self.identity.services() {
            self.snapshot.set_unruled(service.clone());
        }
        for (host, addresses) in saved.hosts.iter().map(SavedHost::decode) {
            self.names.restore(host, &addresses);
        }
        self.follow();
        self.revision = saved.revision;
    }

    /// Asks for what follows from all that is held, and goes when that does.
    fn follow(&mut self) {
        let mut followed = self.snapshot.divided();
        if self.identity.is_captured() {
            followed.extend(self.snapshot.named_services().iter().flat_map(behind));
        }
        self.subscription.follow(followed);
    }

    /// The service that a name leads to.
    fn service(&self, name: &Id) -> Option<ServiceName> {
        match name.kind {
            Kind::Host => self.snapshot.service_of(name).cloned(),
            _ => ServiceName::parse(&name.name),
        }
    }

    /// Takes what the control plane sent.
    pub(crate) fn accept(&mut self, response: Response, now: Instant) -> Outcome {
        let mut outcome = Outcome::default();
        for resource in response.resources {
            self.put(resource, now, &mut outcome);
        }
        for id in response.removed.iter().chain(&response.missing) {
            outcome.is_changed |= self.remove(id, now);
        }
        self.follow();
        if self.rejections.is_empty() {
            self.revision = response.revision;
        }
        outcome
    }

    fn put(&mut self, resource: Resource, now: Instant, outcome: &mut Outcome) {
        let id = resource.id.clone();
        match self.snapshot.put(Arc::new(resource), &self.identity) {
            Ok(is_new) => {
                outcome.is_changed |= is_new;
                self.rejections.remove(&id);
                self.archive.take(&id);
                self.subscription.bind(&id, now);
                if is_new && id.kind == Kind::Workload {
                    self.adopt();
                }
            }
            Err(rejection) => {
                self.subscription.answered(&id);
                self.rejections.insert(id, rejection.clone());
                outcome.rejections.push(rejection);
            }
        }
    }

    fn remove(&mut self, id: &Id, now: Instant) -> bool {
        self.rejections.remove(id);
        self.archive.take(id);
        self.subscription.miss(id, now);
        match ServiceName::parse(&id.name) {
            _ if id.kind == Kind::Workload => false, // as below: what it stood behind holds on
            Some(service) if id.kind == Kind::Inbound => self.leave_catalogue(id, service),
            _ => self.snapshot.remove(id).is_some(),
        }
    }

    /// Belongs to the services that the workload stands behind now, in the zone where it runs: asks for what their
    /// members enforce, and takes what callers are told as one of them.
    fn adopt(&mut self) {
        let id = self.identity.workload().map(Workload::id);
        let Some(members) = id.and_then(|id| self.snapshot.stood_behind(&id)) else {
            return;
        };
        let services: BTreeSet<ServiceName> = members
            .iter()
            .map(|member| member.service.clone())
            .collect();
        let own = services
            .iter()
            .map(|service| Id::new(Kind::Inbound, service.as_str()));
        let own = own.collect();
        let zone = members.iter().find_map(|member| member.zone.as_ref());
        let has_moved = self.identity.run_in(zone);
        if self.identity.stand_behind(services) {
            for gone in self.subscription.own_anew(Kind::Inbound, own) {
                self.snapshot.remove(&gone);
            }
        } else if !has_moved {
            return;
        }
        self.snapshot.decode_anew(&self.identity);
    }

    /// Nobody of our own service is registered, as while we leave: the rules that it had hold on, since it is here;
    /// without any, it serves without. True when the configuration is another one now.
    fn leave_catalogue(&mut self, id: &Id, service: ServiceName) -> bool {
        !self.snapshot.has(id) && self.snapshot.set_unruled(service)
    }

    /// `service` was called.
    pub(crate) fn called(&mut self, service: &ServiceName, now: Instant) {
        for host in self.snapshot.hosts_of(service) {
            self.subscription.called(host, now);
        }
        self.subscription
            .called(&Id::new(Kind::Outbound, service.as_str()), now);
    }

    /// Lets lapse what nobody calls; true when the configuration is another one now.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let idle = self.subscription.expire(now);
        for name in &idle {
            self.lapse(name);
        }
        self.forgive();
        !idle.is_empty()
    }

    /// Forgets what was refused of resources that nobody asks for any more.
    fn forgive(&mut self) {
        let mut rejections = std::mem::take(&mut self.rejections);
        rejections.retain(|id, _| self.is_wanted(id));
        self.rejections = rejections;
    }

    /// Whether `id` is asked for, or stands behind a name that is.
    fn is_wanted(&self, id: &Id) -> bool {
        let stands_behind = |service: ServiceName| {
            self.snapshot.hosts_of(&service).next().is_some()
                || self
                    .subscription
                    .wants(&Id::new(Kind::Outbound, service.as_str()))
        };
        self.subscription.wants(id) || ServiceName::parse(&id.name).is_some_and(stands_behind)
    }

    fn lapse(&mut self, name: &Id) {
        let Some(service) = self.service(name) else {
            return;
        };
        self.shelve(name);
        for id in behind(&service) {
            if !self.is_wanted(&id) {
                self.shelve(&id);
            }
        }
    }

    fn shelve(&mut self, id: &Id) {
        if let Some(resource) = self.snapshot.remove(id) {
            self.archive.put(resource);
        }
    }

    /// A stream begins: what to say that we hold, and what to subscribe to.
    pub(crate) fn begin(&mut self) -> (Vec<Arc<Resource>>, Vec<Id>) {
        (self.resources(), self.subscription.begin())
    }

    /// Nobody will answer for now.
    pub(crate) fn give_up(&mut self) {
        self.subscription.give_up();
    }

    /// What the control plane is to be told, once.
    pub(crate) fn take_changes(&mut self) -> Changes {
        self.subscription.take_changes()
    }

    /// What a worker enforces by all this; host names that it speaks of are looked up from now on.
    pub(crate) fn config(&mut self, now: Instant) -> Config {
        let hosts: BTreeSet<_> = self.named().into_iter().map(|(_, host)| host).collect();
        self.names.want(&hosts, now);
        self.snapshot.config(&self.identity, &self.names)
    }

    /// Services with the host names that lead to their endpoints, sorted.
    pub(crate) fn named(&self) -> BTreeSet<(ServiceName, Arc<str>)> {
        self.snapshot.named()
    }

    /// Host names with what is known of them.
    pub(crate) const fn names(&self) -> &Names {
        &self.names
    }

    /// The lookups to begin now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Query> {
        self.names.take_due(now)
    }

    /// Takes the outcome of a lookup in; true when the configuration is another one now.
    pub(crate) fn resolved(
        &mut self,
        query: &Query,
        answer: Answer,
        now: Instant,
        draw: f64,
    ) -> bool {
        self.names.answered(query, answer, now, draw)
    }

    /// Lets requests wait no longer for names whose time is over; true when the configuration is another one now.
    pub(crate) fn settle(&mut self, now: Instant) -> bool {
        self.names.settle(now)
    }

    /// Everything applied, sorted by id.
    pub(crate) fn resources(&self) -> Vec<Arc<Resource>> {
        self.snapshot.resources().cloned().collect()
    }

    /// Everything that lapsed, least recent first.
    pub(crate) fn lapsed(&self) -> Vec<Arc<Resource>> {
        self.archive.resources().into_iter().cloned().collect()
    }

    /// Versions that were refused and not replaced since, sorted by id.
    pub(crate) fn rejections(&self) -> Vec<Rejection> {
        self.rejections.values().cloned().collect()
    }

    /// The services that the sidecar belongs to.
    pub(crate) fn services(&self) -> &[ServiceName] {
        self.identity.services()
    }

    /// Newest revision at which everything held is applied.
    pub(crate) const fn revision(&self) -> i64 {
        self.revision
    }
}

/// What calls to `service` need.
fn behind(service: &ServiceName) -> [Id; 2] {
    [Kind::Outbound, Kind::Endpoints].map(|kind| Id::new(kind, service.as_str()))
}

fn decoded(resources: Vec<crate::mesh::Resource>) -> impl Iterator<Item = Arc<Resource>> {
    resources
        .into_iter()
        .filter_map(Resource::decode)
        .map(Arc::new)
}

#[cfg(test)]
mod tests;
