use std::sync::Arc;

use policy::route::Rule;

use super::{Reach, Scope, Way};
use crate::config::RouteRule;
use crate::name::PolicyRef;

const PLACES: [Option<(&str, Option<&str>)>; 6] = [
    None,
    Some(("api", None)),
    Some(("api", Some("get"))),
    Some(("api", Some("put"))),
    Some(("web", None)),
    Some(("web", Some("get"))),
];

fn route(name: &str) -> Arc<PolicyRef> {
    Arc::new(PolicyRef {
        kind: "HTTPRoute".into(),
        namespace: "shop".into(),
        name: name.into(),
        generation: 3,
    })
}

fn scope((name, rule): (&str, Option<&str>)) -> Scope {
    Scope {
        route: route(name),
        rule: rule.map(Into::into),
    }
}

fn rule(name: &str, rule: &str) -> RouteRule {
    RouteRule {
        route: route(name),
        name: rule.into(),
        ports: Vec::new(),
        matches: Rule {
            created_ns: None,
            route: name.into(),
            matches: Vec::new(),
        },
        backends: Vec::new(),
        request_headers: None,
        response_headers: None,
        mirrors: Vec::new(),
    }
}

/// Where, of the places at which a policy says something, a request finds what is said of it: the rule, else the route,
/// else the service.
fn naive(said: &[usize], way: Option<(&str, &str)>) -> Option<usize> {
    let at = |place| said.iter().copied().find(|&found| PLACES[found] == place);
    let Some((name, rule)) = way else {
        return at(None);
    };
    at(Some((name, Some(rule))))
        .or_else(|| at(Some((name, None))))
        .or_else(|| at(None))
}

/// The same, as each place by itself decides whether it is for the request.
fn found(said: &[usize], way: Way<'_>) -> Vec<usize> {
    let scopes: Vec<Option<Scope>> = said.iter().map(|&place| PLACES[place].map(scope)).collect();
    let reach = |only: &Option<Scope>| Reach::new(only.clone(), scopes.iter().flatten());
    let including = said.iter().zip(&scopes);
    including
        .filter(|(_, only)| reach(only).includes(way))
        .map(|(place, _)| *place)
        .collect()
}

#[test]
fn of_what_one_policy_says_a_request_meets_the_most_specific_and_nothing_else() {
    let ways = [
        None,
        Some(("api", "get")),
        Some(("api", "put")),
        Some(("api", "1")),
        Some(("web", "get")),
        Some(("web", "put")),
        Some(("other", "get")),
    ];
    for set in 0..1_u32 << PLACES.len() {
        let said: Vec<usize> = (0..PLACES.len())
            .filter(|place| set & (1 << place) != 0)
            .collect();
        for way in ways {
            let config = way.map(|(name, by)| rule(name, by));
            let led = Way {
                rule: config.as_ref(),
                leads_on: false,
            };
            let expected: Vec<usize> = naive(&said, way).into_iter().collect();
            assert_eq!(found(&said, led), expected, "{said:?} {way:?}");
        }
    }
}

#[test]
fn what_is_said_of_a_whole_service_is_not_for_what_its_rules_lead_to_another() {
    let config = rule("api", "get");
    let on = Way {
        rule: Some(&config),
        leads_on: true,
    };
    assert_eq!(found(&[0, 1], on), [1]);
    assert_eq!(found(&[0, 4], on), [0_usize; 0]);
}

#[test]
fn a_scope_is_called_by_its_route_and_its_rule() {
    assert_eq!(scope(("api", None)).to_string(), "shop/api");
    assert_eq!(scope(("api", Some("get"))).to_string(), "shop/api/get");
}
