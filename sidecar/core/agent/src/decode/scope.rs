//! Which requests something that a policy says is for.

use std::sync::Arc;

use proxy::config::{PolicyRef, Reach, Scope};

use crate::mesh;

/// Requests of this scope; none: all.
pub(super) fn only(wire: Option<mesh::RouteScope>) -> Reach {
    Reach {
        only: wire.map(scope),
        except: Vec::new(),
    }
}

/// The requests of a route or of a rule.
pub(super) fn scope(wire: mesh::RouteScope) -> Scope {
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

/// Takes from what each policy says the requests of which it says something more specific.
pub(super) fn settle<T>(rules: &mut [T], of: impl Fn(&mut T) -> (&Arc<PolicyRef>, &mut Reach)) {
    let mut said = Vec::with_capacity(rules.len());
    for rules in &mut *rules {
        let (policy, reach) = of(rules);
        said.push((Arc::clone(policy), reach.only.clone()));
    }
    for rules in rules {
        let (policy, reach) = of(rules);
        let own = said
            .iter()
            .filter(|(other, _)| other.is_same_object(policy));
        *reach = Reach::new(
            reach.only.take(),
            own.filter_map(|(_, scope)| scope.as_ref()),
        );
    }
}
