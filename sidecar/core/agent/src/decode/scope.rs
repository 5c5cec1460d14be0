//! Which requests something that a policy says is for.

use std::sync::Arc;

use proxy::config::{PolicyRef, Reach, Scope};

use crate::mesh;

/// What a policy says, and of which requests.
pub(super) type Said = (Arc<PolicyRef>, Option<Scope>);

pub(super) fn decode(wire: mesh::RouteScope) -> Scope {
    let route = PolicyRef {
        kind: wire.kind.into(),
        namespace: wire.namespace.into(),
        name: wire.name.into(),
        generation: 0,
    };
    Scope {
        route: Arc::new(route),
        rule: (!wire.rule.is_empty()).then(|| wire.rule.into()),
    }
}

/// The requests of `only` of which the policy says nothing more specific in `said`.
pub(super) fn reach(policy: &PolicyRef, only: Option<Scope>, said: &[Said]) -> Reach {
    let own = said
        .iter()
        .filter(|(other, _)| other.is_same_object(policy));
    Reach::new(only, own.filter_map(|(_, scope)| scope.as_ref()))
}
