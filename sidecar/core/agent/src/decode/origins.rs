//! Which policies the fields of a resource came from.

use std::sync::Arc;

use proxy::config::{Block, PolicyRef};

use super::Fault;
use super::read::Under;
use crate::mesh;

/// Levels of attachment, the most specific first.
const LEVELS: [&str; 5] = ["Rule", "Route", "Service", "Namespace", "Mesh"];

/// Where merged fields came from.
pub(super) struct Origins<'a>(pub(super) &'a [mesh::FieldOrigin]);

impl Origins<'_> {
    /// The block at `path` with the policy that it is attributed to.
    pub(super) fn block<W, T>(
        &self,
        path: &str,
        wire: Option<W>,
        read: impl FnOnce(W, Option<&PolicyRef>) -> Result<T, Fault>,
    ) -> Result<Option<Block<T>>, Fault> {
        let Some(wire) = wire else { return Ok(None) };
        let policy = self.policy(path);
        let params = read(wire, policy.as_ref()).under(path)?;
        Ok(Some(Block {
            params,
            policy: policy.map(Arc::new),
        }))
    }

    /// The most specific policy that set a field at or under `path`, by path where several did.
    pub(super) fn policy(&self, path: &str) -> Option<PolicyRef> {
        let within = |origin: &&mesh::FieldOrigin| {
            origin
                .path
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let level =
            |origin: &&mesh::FieldOrigin| LEVELS.iter().position(|level| *level == origin.level);
        let written = self
            .0
            .iter()
            .filter(within)
            .filter(|origin| origin.policy.is_some());
        written
            .min_by_key(level)
            .and_then(|origin| origin.policy.as_ref())
            .map(policy_ref)
    }
}

/// Names a policy.
pub(super) fn policy_ref(wire: &mesh::PolicyRef) -> PolicyRef {
    PolicyRef {
        kind: wire.kind.as_str().into(),
        namespace: wire.namespace.as_str().into(),
        name: wire.name.as_str().into(),
        generation: wire.generation,
    }
}
