//! Where control planes are: every address that their names lead to.

use std::net::SocketAddr;
use std::time::Duration;

use http::uri::Authority;
use tokio::net::lookup_host;
use tokio::time::timeout;

/// Time to resolve a name, after which what it last led to holds.
const LOOKUP: Duration = Duration::from_secs(1);

/// One address of a control plane, and what it is called there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) authority: Authority,
    pub(crate) address: SocketAddr,
}

/// The names of control planes, `HOST:PORT`, and what each last led to.
#[derive(Debug)]
pub(crate) struct Addresses {
    names: Vec<(Authority, Vec<SocketAddr>)>,
}

impl Addresses {
    /// Nothing is resolved yet; what is no name is left out.
    pub(crate) fn new(names: &[String]) -> Self {
        let names = names.iter().filter_map(|name| name.parse().ok());
        Self {
            names: names.map(|name| (name, Vec::new())).collect(),
        }
    }

    /// Every address of every name, once; of a name that cannot be resolved now, those it had before.
    pub(crate) async fn resolve(&mut self) -> Vec<Target> {
        let lookups: Vec<_> = self.names.iter().map(|(name, _)| name.clone()).collect();
        let lookups: Vec<_> = lookups
            .into_iter()
            .map(|name| tokio::spawn(timeout(LOOKUP, lookup(name))))
            .collect();
        for ((_, known), lookup) in self.names.iter_mut().zip(lookups) {
            if let Ok(Ok(found)) = lookup.await
                && !found.is_empty()
            {
                *known = found;
            }
        }
        self.targets()
    }

    fn targets(&self) -> Vec<Target> {
        let mut targets: Vec<Target> = Vec::new();
        for (authority, known) in &self.names {
            for &address in known {
                if targets.iter().all(|target| target.address != address) {
                    targets.push(Target {
                        authority: authority.clone(),
                        address,
                    });
                }
            }
        }
        targets
    }
}

/// The addresses that `name` leads to; none when it leads nowhere.
async fn lookup(name: Authority) -> Vec<SocketAddr> {
    lookup_host(name.as_str())
        .await
        .map(Iterator::collect)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
