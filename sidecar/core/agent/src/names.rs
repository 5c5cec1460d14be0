//! Host names and the addresses that they stand for: what to look up and when, and what holds while lookups fail. Pure.
//!
//! Theory of operation. A and AAAA records of a host are looked up apart, so that neither waits for the other. What a
//! lookup found holds until another finds something else: one that fails, whatever the reason, takes nothing away. Only
//! that one family has no records, or none that a route leads to, is believed while the other has confirmed addresses.
//!
//! A host is *settled* once it has addresses, both families have failed, or its time is over; until then requests to
//! its service wait. Half of the places for lookups are kept from records that failed, so that servers which are silent
//! about some hosts delay no others.

mod host;
mod records;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use host::Host;
pub(crate) use host::HostStatus;
pub(crate) use records::{Answer, Failure, Family, Found};

/// Lookups under way at once, and how many of these may be for records whose last lookup failed.
const AT_ONCE: usize = 16;
const FAILING_AT_ONCE: usize = AT_ONCE / 2;
/// Hosts remembered that nobody asks for any more.
const KEPT: usize = 1_000;

/// One lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) host: Arc<str>,
    pub(crate) family: Family,
}

/// All host names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    hosts: BTreeMap<Arc<str>, Host>,
    counts: Counts,
}

/// Lookups by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) answered: u64,
    pub(crate) failed: [u64; Failure::ALL.len()],
}

impl Names {
    /// Takes up the addresses that `host` had when the sidecar last ran.
    pub(crate) fn restore(&mut self, host: Arc<str>, addresses: &[IpAddr]) {
        self.hosts.insert(host, Host::restored(addresses));
    }

    /// Asks for exactly `hosts` from now on.
    pub(crate) fn want(&mut self, hosts: &BTreeSet<Arc<str>>, now: Instant) {
        for name in hosts {
            self.hosts.entry(name.clone()).or_default().want(now);
        }
        for (name, host) in &mut self.hosts {
            if !hosts.contains(name) {
                host.release();
            }
        }
        self.forget(hosts.len() + KEPT);
    }

    /// Forgets what is remembered for nothing, and more than `most`.
    fn forget(&mut self, most: usize) {
        let mut surplus = self.hosts.len().saturating_sub(most);
        self.hosts.retain(|_, host| {
            let is_kept = host.is_wanted() || (surplus == 0 && !host.addresses().is_empty());
            surplus -= usize::from(!is_kept).min(surplus);
            is_kept
        });
    }

    /// Whether nobody asks for any host.
    pub(crate) fn is_idle(&self) -> bool {
        !self.hosts.values().any(Host::is_wanted)
    }

    /// The lookups to begin now, those first that have been due longest.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Query> {
        let mut due: Vec<_> = self.waiting().filter(|one| one.due <= now).collect();
        due.sort_by_key(|one| one.due);
        let mut places = self.places();
        due.retain(|one| places.take(one.is_failing));
        let queries: Vec<Query> = due.into_iter().map(|one| one.query).collect();
        for query in &queries {
            if let Some(host) = self.hosts.get_mut(&query.host) {
                host.ask(query.family);
            }
        }
        queries
    }

    /// When there is something to do next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let places = self.places();
        let lookups = self
            .waiting()
            .filter(|one| places.clone().take(one.is_failing))
            .map(|one| one.due);
        let patience = self.hosts.values().filter_map(Host::settles_at);
        lookups.chain(patience).min()
    }

    /// Lookups that are not under way.
    fn waiting(&self) -> impl Iterator<Item = Waiting> {
        self.hosts.iter().flat_map(|(name, host)| {
            host.waiting().map(|(family, due, is_failing)| {
                let host = name.clone();
                Waiting {
                    due,
                    is_failing,
                    query: Query { host, family },
                }
            })
        })
    }

    fn places(&self) -> Places {
        let mut places = Places::default();
        for is_failing in self.hosts.values().flat_map(Host::asked) {
            places.all += 1;
            places.failing += usize::from(is_failing);
        }
        places
    }

    /// Takes the outcome of a lookup in; `draw`, from 0 to 1, spreads the next one. True when calls go elsewhere now.
    pub(crate) fn answered(
        &mut self,
        query: &Query,
        answer: Answer,
        now: Instant,
        draw: f64,
    ) -> bool {
        let Some(host) = self.hosts.get_mut(&query.host) else {
            return false; // forgotten meanwhile
        };
        let is_changed = host.answered(query.family, answer, now, draw);
        self.counts.count(host.failure(query.family));
        is_changed
    }

    /// Settles the hosts whose time is over; true when there are any.
    pub(crate) fn settle(&mut self, now: Instant) -> bool {
        let mut is_changed = false;
        for host in self.hosts.values_mut() {
            is_changed |= host.settle(now);
        }
        is_changed
    }

    /// The addresses of a host, sorted.
    pub(crate) fn addresses(&self, host: &str) -> &[IpAddr] {
        self.hosts.get(host).map_or(&[], Host::addresses)
    }

    /// Whether requests need not wait for the host.
    pub(crate) fn is_settled(&self, host: &str) -> bool {
        self.hosts.get(host).is_some_and(Host::is_settled)
    }

    /// Whether lookups that have just begun may still find addresses of the host.
    pub(crate) fn is_open(&self, host: &str, now: Instant) -> bool {
        self.hosts.get(host).is_some_and(|host| host.is_open(now))
    }

    /// How a host stands.
    pub(crate) fn status(&self, host: &str) -> Option<HostStatus> {
        let (name, host) = self.hosts.get_key_value(host)?;
        Some(host.status(name.clone()))
    }

    /// Every host that has addresses, with them, sorted.
    pub(crate) fn resolved(&self) -> impl Iterator<Item = (Arc<str>, Arc<[IpAddr]>)> {
        let resolved = |(name, host): (&Arc<str>, &Host)| (name.clone(), host.shared_addresses());
        self.hosts
            .iter()
            .map(resolved)
            .filter(|(_, addresses)| !addresses.is_empty())
    }

    /// Lookups so far.
    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }
}

/// A lookup that is not under way.
struct Waiting {
    due: Instant,
    is_failing: bool,
    query: Query,
}

/// Places for lookups that are taken.
#[derive(Clone, Debug, Default)]
struct Places {
    all: usize,
    failing: usize,
}

impl Places {
    /// Takes a place, if there is one.
    const fn take(&mut self, is_failing: bool) -> bool {
        if self.all == AT_ONCE || (is_failing && self.failing == FAILING_AT_ONCE) {
            return false;
        }
        self.all += 1;
        self.failing += is_failing as usize;
        true
    }
}

impl Counts {
    const fn count(&mut self, failure: Option<Failure>) {
        match failure {
            None => self.answered += 1,
            Some(failure) => self.failed[failure as usize] += 1,
        }
    }
}

#[cfg(test)]
mod tests;
