//! One host name: both families together. Pure.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::records::{Answer, Failure, Family, Records};

/// How long requests wait for the first answer at most; a little less than they wait for configuration.
const PATIENCE: Duration = Duration::from_millis(800);

/// One host name.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// Since when it is asked for; `None` while it is only remembered.
    wanted_at: Option<Instant>,
    is_settled: bool,
    records: [Records; Family::BOTH.len()],
    /// Addresses of both families, sorted.
    addresses: Arc<[IpAddr]>,
}

/// How a host stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostStatus {
    pub(crate) host: Arc<str>,
    /// Addresses in use, sorted; the last good ones while lookups fail.
    pub(crate) addresses: Arc<[IpAddr]>,
    /// When they were confirmed, the least recent ones; `None` when they never were since the sidecar started.
    pub(crate) confirmed_at: Option<Instant>,
    /// Whether the last lookup of any of them failed.
    pub(crate) is_stale: bool,
    /// Why the last lookup failed.
    pub(crate) failure: Option<String>,
    /// Lookups that failed in a row.
    pub(crate) failures: u32,
    /// When the next lookup is due; `None` while all are under way.
    pub(crate) due: Option<Instant>,
    /// Addresses that were answered and must not be called, with the reason.
    pub(crate) refused: Vec<String>,
}

impl HostStatus {
    /// The words of `state`.
    pub(crate) const STATES: [&'static str; 3] = ["current", "stale", "unresolved"];

    /// What is known of the host, as a word: in metrics.
    pub(crate) fn state(&self) -> &'static str {
        let [current, stale, unresolved] = Self::STATES;
        match (self.addresses.is_empty(), self.is_stale) {
            (true, _) => unresolved,
            (false, true) => stale,
            (false, false) => current,
        }
    }
}

impl Host {
    /// A host with the addresses that it had when the sidecar last ran.
    pub(super) fn restored(addresses: &[IpAddr]) -> Self {
        let mut host = Self::default();
        for family in Family::BOTH {
            let own = addresses.iter().copied().filter(|ip| family.has(*ip));
            host.records[family as usize].addresses = own.collect();
        }
        host.unite();
        host
    }

    pub(super) const fn is_wanted(&self) -> bool {
        self.wanted_at.is_some()
    }

    pub(super) const fn is_settled(&self) -> bool {
        self.is_settled
    }

    pub(super) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    pub(super) fn shared_addresses(&self) -> Arc<[IpAddr]> {
        self.addresses.clone()
    }

    pub(super) const fn failure(&self, family: Family) -> Option<Failure> {
        self.records[family as usize].failure
    }

    pub(super) fn want(&mut self, now: Instant) {
        if self.wanted_at.is_none() {
            self.wanted_at = Some(now);
            self.is_settled = !self.addresses.is_empty();
            for records in &mut self.records {
                records.due = None;
            }
        }
    }

    pub(super) const fn release(&mut self) {
        self.wanted_at = None;
    }

    /// Lookups that are not under way: when each is due, and whether the last one failed.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (Family, Instant, bool)> {
        let waiting = self.wanted_at.into_iter().flat_map(|wanted_at| {
            Family::BOTH.map(|family| (family, &self.records[family as usize], wanted_at))
        });
        waiting
            .filter(|(_, records, _)| !records.is_asked)
            .map(|(family, records, wanted_at)| {
                let due = records.due.unwrap_or(wanted_at);
                (family, due, records.failure.is_some())
            })
    }

    /// Lookups under way: whether the one before failed.
    pub(super) fn asked(&self) -> impl Iterator<Item = bool> {
        let asked = self.records.iter().filter(|records| records.is_asked);
        asked.map(|records| records.failure.is_some())
    }

    pub(super) const fn ask(&mut self, family: Family) {
        self.records[family as usize].is_asked = true;
    }

    /// Takes the outcome of a lookup in; true when calls go elsewhere now.
    pub(super) fn answered(
        &mut self,
        family: Family,
        answer: Answer,
        now: Instant,
        draw: f64,
    ) -> bool {
        let [v4, v6] = &mut self.records;
        let (records, other) = match family {
            Family::V4 => (v4, v6),
            Family::V6 => (v6, v4),
        };
        records.answered(answer, other.is_good(), now, draw);
        let is_changed = self.unite();
        let was_settled = self.is_settled;
        self.is_settled |= !self.addresses.is_empty() || self.records.iter().all(Records::is_known);
        is_changed || was_settled != self.is_settled
    }

    /// When requests wait no longer.
    pub(super) fn settles_at(&self) -> Option<Instant> {
        let wanted_at = self.wanted_at.filter(|_| !self.is_settled)?;
        Some(wanted_at + PATIENCE)
    }

    /// Whether a family has not been answered since the host is asked for, and the time for that is not over.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        let is_early = self.wanted_at.is_some_and(|at| now < at + PATIENCE);
        is_early && !self.records.iter().all(Records::is_known)
    }

    /// Settles it when its time is over; true when that is now.
    pub(super) fn settle(&mut self, now: Instant) -> bool {
        let is_over = self.settles_at().is_some_and(|at| at <= now);
        self.is_settled |= is_over;
        is_over
    }

    /// Puts the addresses of both families together; true when they are others than before.
    fn unite(&mut self) -> bool {
        let all = self.records.iter().flat_map(|records| &records.addresses);
        let mut all: Vec<IpAddr> = all.copied().collect();
        all.sort_unstable();
        all.dedup(); // an AAAA record may hold an address of IPv4
        let is_changed = *self.addresses != *all;
        if is_changed {
            self.addresses = all.into();
        }
        is_changed
    }

    pub(super) fn status(&self, host: Arc<str>) -> HostStatus {
        let held = || self.records.iter().filter(|one| !one.addresses.is_empty());
        let confirmed: Option<Vec<Instant>> = held().map(|one| one.confirmed_at).collect();
        let failures = Family::BOTH.map(|family| {
            let failure = self.records[family as usize].failure?;
            Some(format!("{}: {}", family.as_str(), failure.text()))
        });
        let failures: Vec<String> = failures.into_iter().flatten().collect();
        HostStatus {
            host,
            addresses: self.addresses.clone(),
            is_stale: held().any(|one| !one.is_good()),
            confirmed_at: confirmed.and_then(|all| all.into_iter().min()),
            failure: (!failures.is_empty()).then(|| failures.join("; ")),
            failures: self
                .records
                .iter()
                .map(|one| one.failures)
                .max()
                .unwrap_or(0),
            due: self.waiting().map(|(_, due, _)| due).min(),
            refused: self
                .records
                .iter()
                .flat_map(|one| one.refused.clone())
                .collect(),
        }
    }
}
