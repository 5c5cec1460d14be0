use std::rc::Rc;
use std::sync::Arc;

use policy::route;

use crate::config::{self, RouteBackend, RouteRule, RouteSettings};
use crate::name::PolicyRef;
use crate::worker::tests::{breaker, cart, cluster, serve, worker};

/// A rule for every call, with a breaker of its own.
fn rule() -> RouteRule {
    let settings = RouteSettings {
        timeouts: None,
        retry: None,
        hedge: None,
        service_breaker: breaker(),
        admission: None,
        bulkhead: None,
        fallback: None,
        shadow: None,
    };
    RouteRule {
        route: Arc::new(PolicyRef {
            kind: "HTTPRoute".into(),
            namespace: "shop".into(),
            name: "cart".into(),
            generation: 1,
        }),
        name: "0".into(),
        ports: Vec::new(),
        matches: route::Rule {
            created_ns: None,
            route: "shop/cart".into(),
            matches: Vec::new(),
        },
        backends: vec![RouteBackend {
            service: Some(cart()),
            port: None,
            weight: 1,
            settings: Some(Arc::new(settings)),
        }],
        request_headers: None,
        response_headers: None,
        mirrors: Vec::new(),
    }
}

#[test]
fn a_service_that_another_configuration_replaces_is_let_go() {
    let worker = worker();
    let config = config::Cluster {
        routes: vec![rule()],
        ..cluster(2)
    };
    let old = Rc::downgrade(&serve(&worker, config.clone()));
    serve(&worker, config);
    assert!(old.upgrade().is_none());
}
