//! Resources that nobody calls any more, kept for when no control plane can give them again. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::resource::{Id, Resource};

/// Resources kept, the most recent: those of 1,000 services, each with a name, outbound rules and endpoints.
const KEPT: usize = 3_000;

/// What has lapsed.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    kept: BTreeMap<Id, (u64, Arc<Resource>)>,
    stamp: u64,
}

impl Archive {
    /// Keeps `resource`, in place of its older version and of the least recent one when there are too many.
    pub(crate) fn put(&mut self, resource: Arc<Resource>) {
        self.stamp += 1;
        self.kept
            .insert(resource.id.clone(), (self.stamp, resource));
        if self.kept.len() > KEPT {
            let oldest = self
                .kept
                .iter()
                .min_by_key(|(_, (stamp, _))| *stamp)
                .map(|(id, _)| id.clone());
            oldest.and_then(|id| self.kept.remove(&id));
        }
    }

    /// Takes `id` out.
    pub(crate) fn take(&mut self, id: &Id) -> Option<Arc<Resource>> {
        self.kept.remove(id).map(|(_, resource)| resource)
    }

    /// Everything kept, least recent first.
    pub(crate) fn resources(&self) -> Vec<&Arc<Resource>> {
        let mut all: Vec<_> = self.kept.values().collect();
        all.sort_by_key(|(stamp, _)| *stamp);
        all.into_iter().map(|(_, resource)| resource).collect()
    }
}

#[cfg(test)]
mod tests;
