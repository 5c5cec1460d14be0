//! Rules of routes, and what is wrong with some.

use super::*;

fn value(name: &str, value: &str) -> mesh::HeaderValue {
    mesh::HeaderValue {
        name: name.into(),
        value: value.into(),
    }
}

fn rule(request: mesh::HeaderModifier) -> mesh::Outbound {
    let route = mesh::PolicyRef {
        kind: "HTTPRoute".into(),
        namespace: "shop".into(),
        name: "cart-api".into(),
        generation: 0,
    };
    mesh::Outbound {
        service: cart(),
        variants: vec![variant(None, 1)],
        routes: vec![mesh::RouteRule {
            route: Some(route),
            request_headers: Some(request),
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[test]
fn changes_of_heads_are_read_with_names_in_lower_case() {
    let found = cluster(&rule(mesh::HeaderModifier {
        set: vec![value("X-A", "1")],
        add: vec![value("x-b", "2, 3")],
        remove: vec!["X-C".into()],
    }));
    let edits = found.routes[0].request_headers.as_deref().unwrap();
    assert_eq!(edits.remove, ["x-c"]);
    assert_eq!(
        (edits.set[0].0.as_str(), edits.set[0].1.as_bytes()),
        ("x-a", &b"1"[..])
    );
    assert_eq!(edits.add[0].1, "2, 3");
    assert_eq!(found.routes[0].response_headers, None);
}

#[test]
fn a_path_is_compared_in_the_form_of_those_that_come() {
    let mut wire = rule(mesh::HeaderModifier::default());
    let path = |kind: mesh::PathMatchType, value: &str| mesh::HttpRouteMatch {
        path: Some(mesh::HttpPathMatch {
            r#type: kind.into(),
            value: value.into(),
        }),
        ..Default::default()
    };
    wire.routes[0].http_matches = vec![
        path(mesh::PathMatchType::Exact, "/%7Ecaf%c3%a9"),
        path(mesh::PathMatchType::PathPrefix, "/%63art"),
    ];
    let found = cluster(&wire);
    let matches = found.routes[0].matches.matches.iter();
    let told: Vec<String> = matches.map(ToString::to_string).collect();
    assert_eq!(told, ["/~caf%C3%A9", "/cart*"]);
}

#[test]
fn what_is_no_header_is_refused_with_its_place() {
    let broken = mesh::HeaderModifier {
        set: vec![value("x-a", "1\r\nx-b: 2")],
        ..Default::default()
    };
    let path = "routes[0].requestHeaders.set[0].value";
    assert_eq!(field(Kind::Outbound, &rule(broken)), path);
    let nameless = mesh::HeaderModifier {
        remove: vec!["x a".into()],
        ..Default::default()
    };
    let path = "routes[0].requestHeaders.remove[0]";
    assert_eq!(field(Kind::Outbound, &rule(nameless)), path);
}

#[test]
fn a_share_of_copies_is_of_something_and_no_more_than_all() {
    let copied = |numerator, denominator| {
        let mut found = rule(mesh::HeaderModifier::default());
        found.routes[0].mirrors = vec![mesh::RouteMirror {
            service: cart(),
            port: 80,
            numerator,
            denominator,
        }];
        found
    };
    let mirror = &cluster(&copied(1, 4)).routes[0].mirrors[0];
    assert_eq!((mirror.numerator, mirror.denominator), (1, 4));
    let fault = |numerator, denominator| field(Kind::Outbound, &copied(numerator, denominator));
    assert_eq!(fault(1, 0), "routes[0].mirrors[0].denominator");
    assert_eq!(fault(5, 4), "routes[0].mirrors[0].numerator");
}

#[test]
fn a_time_of_zero_is_no_bound() {
    let mut wire = rule(mesh::HeaderModifier::default());
    let times = mesh::Timeouts {
        per_try: seconds(0),
        ..timeouts(0)
    };
    wire.routes[0].backends = vec![mesh::RouteBackend {
        service: cart(),
        weight: 1,
        variants: vec![mesh::OutboundVariant {
            resilience: Some(mesh::Resilience {
                timeouts: Some(times),
                ..Default::default()
            }),
            ..Default::default()
        }],
        ..Default::default()
    }];
    let found = cluster(&wire);
    let settings = found.routes[0].backends[0].settings.as_ref().unwrap();
    let times = &settings.timeouts.as_ref().unwrap().params;
    assert_eq!((times.request, times.per_try), (None, None));
}

#[test]
fn rules_that_speak_of_us_are_the_only_ones_and_those_of_other_callers_none() {
    let named = |namespace: Option<&str>, name: &str| mesh::RouteRule {
        name: name.into(),
        caller: namespace.map(|namespace| mesh::CallerMatch {
            namespace: namespace.into(),
            ..Default::default()
        }),
        ..rule(mesh::HeaderModifier::default()).routes.remove(0)
    };
    let found = |rules: Vec<mesh::RouteRule>| {
        let wire = mesh::Outbound {
            routes: rules,
            ..rule(mesh::HeaderModifier::default())
        };
        let routes = cluster(&wire).routes.clone();
        routes.into_iter().map(|rule| rule.name).collect::<Vec<_>>()
    };
    let (everybody, ours) = (named(None, "everybody"), named(Some("shop"), "ours"));
    let others = named(Some("web"), "others");
    let all = vec![everybody.clone(), ours, others.clone()];
    assert_eq!(found(all), ["ours".into()]);
    assert_eq!(found(vec![others.clone(), everybody]), ["everybody".into()]);
    assert_eq!(found(vec![others]), []);
}
