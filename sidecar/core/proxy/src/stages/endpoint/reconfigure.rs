//! New endpoints and new figures: who stays at its address keeps its state.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use policy::balancer::{Algorithm, Balancer, Load, SlowStart};
use policy::instance_groups::Overflow;
use policy::outlier;
use policy::readiness::Layout;

use super::{Endpoint, EndpointSet};
use crate::chance::Chance;
use crate::clock::nanoseconds;
use crate::config;
use crate::stages::breaker::Guard;

/// What an endpoint is made from.
pub(crate) struct Wanted<'a> {
    pub(crate) endpoint: &'a config::Endpoint,
    pub(crate) address: SocketAddr,
}

impl EndpointSet {
    /// Takes new endpoints and figures in: who stays at its address keeps its state.
    pub(crate) fn reconfigure(
        &self,
        wanted: &[Wanted<'_>],
        has_own: bool,
        config: &config::Cluster,
        (now_ns, chance): (u64, &Chance),
    ) {
        let breaker = config
            .endpoint_breaker
            .as_ref()
            .map(|block| &block.params.params);
        let mut endpoints = self.endpoints.borrow_mut();
        let mut old: Vec<Endpoint> = std::mem::take(&mut *endpoints);
        let joined_ns = (!old.is_empty()).then_some(now_ns);
        let weights = wanted.iter().map(|want| want.endpoint.weight);
        let unit = weights.reduce(divisor).unwrap_or(1).max(1);
        for want in wanted {
            let is_it = |old: &Endpoint| {
                old.instance == want.endpoint.instance && old.address == want.address
            };
            let mut endpoint = match old.iter().position(is_it) {
                Some(place) => old.swap_remove(place),
                None => self.issue(want, joined_ns, now_ns),
            };
            endpoint.has_sidecar = want.endpoint.has_sidecar;
            endpoint.is_near = want.endpoint.is_near;
            endpoint.weight = want.endpoint.weight / unit;
            endpoint.group = want.endpoint.group;
            endpoint.slow_start = slow_start(&endpoint, config);
            endpoint.reconfigure_probes(config, now_ns, chance);
            reconfigure_guard(&mut endpoint.guard, breaker);
            endpoints.push(endpoint);
        }
        self.has_own.set(has_own);
        self.reconfigure_balancer(&endpoints, config);
        self.reconfigure_outliers(&mut endpoints, config, now_ns);
    }

    /// Makes the table of a hashed algorithm anew where names or weights changed.
    fn reconfigure_balancer(&self, endpoints: &[Endpoint], config: &config::Cluster) {
        let block = config.balancing.as_ref();
        let algorithm = block.map_or(Algorithm::default(), |block| block.params.algorithm);
        let named = endpoints
            .iter()
            .map(|endpoint| (&*endpoint.instance, endpoint.weight));
        let mut balancer = self.balancer.borrow_mut();
        if !balancer.is_over(algorithm, named.clone()) {
            *balancer = Balancer::new(algorithm, named);
        }
    }

    fn issue(&self, want: &Wanted<'_>, joined_ns: Option<u64>, now_ns: u64) -> Endpoint {
        self.issued.set(self.issued.get() + 1);
        Endpoint {
            id: self.issued.get(),
            instance: Arc::clone(&want.endpoint.instance),
            address: want.address,
            has_sidecar: want.endpoint.has_sidecar,
            is_near: want.endpoint.is_near,
            weight: want.endpoint.weight,
            group: want.endpoint.group,
            joined_ns,
            slow_start: None,
            load: Load::new(now_ns),
            guard: None,
            record: outlier::Record::default(),
            probed: None,
            outlier: None,
            pools: Rc::default(),
        }
    }
}

/// The greatest common divisor.
const fn divisor(one: u32, other: u32) -> u32 {
    let (mut one, mut other) = (one, other);
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// The warming up of an endpoint that joined others.
fn slow_start(endpoint: &Endpoint, config: &config::Cluster) -> Option<SlowStart> {
    let time = config.balancing.as_ref()?.params.slow_start;
    Some(SlowStart {
        since_ns: endpoint.joined_ns?,
        for_ns: nanoseconds(time),
    })
}

/// How endpoints are told apart when one is picked.
pub(super) fn layout(config: &config::Cluster) -> Layout {
    let block = config.balancing.as_ref();
    let groups = config.groups.as_ref().map(|block| &block.params);
    Layout {
        prefers_near: block.is_some_and(|block| block.params.prefers_near),
        groups: groups.map_or(0, |groups| groups.groups.len()),
        overflow: groups.map_or(Overflow::Never, |groups| groups.overflow),
    }
}

fn reconfigure_guard(guard: &mut Option<Guard>, params: Option<&policy::breaker::Params>) {
    match (guard.as_mut(), params) {
        (Some(guard), Some(params)) => guard.machine.reconfigure(params.clone()),
        (None, Some(params)) => *guard = Some(Guard::new(params)),
        (_, None) => *guard = None,
    }
}
