//! What discovery does whether or not a control plane is connected: it answers demands, and looks host names up.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use proxy::{Demand, Ended};
use tokio::time::sleep_until;

use super::Discovery;
use crate::chance;
use crate::names::{Answer, HostStatus, Query};

/// Lookups that fail in a row before the log says so: a single one is nothing to look at.
const TOLD_AT: u32 = 2;

/// One thing to do.
#[derive(Debug)]
pub(super) enum Chore {
    Demand(Demand),
    Resolved(Query, Answer),
    /// Lookups are due, or a wait for one is over.
    Names,
    /// Nobody waits any longer for a first configuration.
    PassThrough,
}

impl Discovery {
    /// The next thing to do.
    pub(super) async fn chore(&mut self) -> Result<Chore, Ended> {
        let (due, unenforced_at) = (self.holdings.names().next_due(), self.unenforced_at);
        tokio::select! {
            demand = self.demands.recv() => demand.map(Chore::Demand).ok_or(Ended),
            (query, answer) = self.resolver.answer() => Ok(Chore::Resolved(query, answer)),
            () = sleep(due) => Ok(Chore::Names),
            () = sleep(unenforced_at) => Ok(Chore::PassThrough),
        }
    }

    pub(super) async fn carry_out(&mut self, chore: Chore) -> Result<(), Ended> {
        match chore {
            Chore::Demand(demand) => self.demand(demand).await,
            Chore::Resolved(query, answer) => self.resolved(&query, answer).await,
            Chore::Names => {
                let is_changed = self.holdings.settle(Instant::now());
                self.names_changed(is_changed).await
            }
            Chore::PassThrough => self.pass_through().await,
        }
    }

    async fn resolved(&mut self, query: &Query, answer: Answer) -> Result<(), Ended> {
        let now = Instant::now();
        let is_changed = self.holdings.resolved(query, answer, now, chance::draw());
        if let Some(status) = self.holdings.names().status(&query.host) {
            self.tell(&status, is_changed);
        }
        self.names_changed(is_changed).await
    }

    async fn names_changed(&mut self, is_changed: bool) -> Result<(), Ended> {
        if is_changed {
            self.enforce().await?;
        } else {
            self.look_up();
        }
        self.answer_waiting().await
    }

    /// Puts in force what is held, and looks up the host names in it.
    pub(super) async fn enforce(&mut self) -> Result<(), Ended> {
        let config = self.holdings.config(Instant::now());
        self.proxy.apply(Arc::new(config)).await?;
        self.look_up();
        Ok(())
    }

    /// Begins the lookups that are due, and publishes how all host names stand.
    fn look_up(&mut self) {
        for query in self.holdings.take_due(Instant::now()) {
            self.resolver.ask(query);
        }
        let names = self.holdings.names();
        if names.is_idle() {
            self.resolver.rest();
        }
        let named = self.holdings.named().into_iter();
        let hosts: Vec<_> = named
            .filter_map(|(service, host)| Some((service, names.status(&host)?)))
            .collect();
        self.status.send_modify(|state| {
            state.hosts = hosts;
            state.resolved = names.resolved().collect();
            state.lookups = names.counts();
        });
    }

    fn tell(&self, status: &HostStatus, is_changed: bool) {
        let addresses: Vec<String> = status.addresses.iter().map(ToString::to_string).collect();
        let addresses = addresses.join(",");
        let fields: [(&str, &dyn Display); 2] = [("host", &status.host), ("addresses", &addresses)];
        if is_changed {
            self.log.info("host resolved", &fields);
        }
        if let Some(reason) = status
            .failure
            .as_ref()
            .filter(|_| status.failures == TOLD_AT)
        {
            self.log.warn(
                "host not resolved",
                &[fields[0], fields[1], ("reason", reason)],
            );
        }
    }
}

/// Sleeps until `due`; without one, for ever.
async fn sleep(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
