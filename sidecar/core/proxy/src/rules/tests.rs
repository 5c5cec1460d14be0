use policy::route::Matcher;

use super::*;

fn prefix(path: &str) -> Matcher {
    Matcher {
        path: Some(Path::Prefix(path.as_bytes().into())),
        ..Matcher::default()
    }
}

fn rule(matches: Vec<Matcher>) -> RouteRule {
    RouteRule {
        route: PolicyRef {
            kind: "HTTPRoute".into(),
            namespace: "shop".into(),
            name: "api".into(),
            generation: 1,
        }
        .into(),
        name: "cart".into(),
        ports: Vec::new(),
        matches: route::Rule {
            created_ns: None,
            route: "api".into(),
            matches,
        },
        backends: Vec::new(),
        request_headers: None,
        response_headers: None,
        mirrors: Vec::new(),
    }
}

#[test]
fn a_rule_keeps_the_paths_that_it_names_sorted_and_each_once() {
    for (matches, expected) in [
        (vec![], "*"),
        (vec![Matcher::default()], "*"),
        (vec![prefix("/b"), prefix("/a"), prefix("/b")], "/a* or /b*"),
    ] {
        assert_eq!(&*Rule::new(&rule(matches), &[]).paths, expected);
    }
}
