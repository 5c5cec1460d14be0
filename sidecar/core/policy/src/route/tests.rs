use std::borrow::Cow;
use std::collections::HashMap;

use super::*;

#[derive(Default)]
struct Asked {
    method: &'static str,
    path: &'static str,
    headers: HashMap<&'static str, &'static str>,
    queries: HashMap<&'static str, &'static str>,
}

impl Request for Asked {
    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.headers.get(name).map(|value| value.as_bytes().into())
    }

    fn query(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.queries.get(name).map(|value| value.as_bytes().into())
    }
}

fn get(path: &'static str) -> Asked {
    Asked {
        method: "GET",
        path,
        ..Asked::default()
    }
}

fn exact(text: &str) -> Text {
    Text::Exact(text.as_bytes().into())
}

fn path(path: Path) -> Matcher {
    Matcher {
        path: Some(path),
        ..Matcher::default()
    }
}

fn prefix(text: &str) -> Matcher {
    path(Path::Prefix(text.as_bytes().into()))
}

fn field(name: &str, value: &str) -> Field {
    Field {
        name: name.into(),
        value: exact(value),
    }
}

fn rule(route: &str, matches: Vec<Matcher>) -> Rule {
    Rule {
        created_ns: None,
        route: route.into(),
        matches,
    }
}

fn found(matches: Vec<Matcher>, request: &Asked) -> Option<usize> {
    let rules: Vec<Rule> = matches
        .into_iter()
        .map(|one| rule("shop/cart", vec![one]))
        .collect();
    Table::new(&rules).find(request)
}

#[test]
fn a_prefix_is_one_of_whole_segments() {
    for (prefixed, asked, is_met) in [
        ("/cart", "/cart", true),
        ("/cart", "/cart/", true),
        ("/cart", "/cart/7", true),
        ("/cart", "/cartoon", false),
        ("/cart/", "/cart", true),
        ("/cart/", "/cart/7", true),
        ("/", "/anything", true),
    ] {
        assert_eq!(
            prefix(prefixed).is_met_by(&get(asked)),
            is_met,
            "{prefixed} {asked}"
        );
    }
}

#[test]
fn an_expression_has_to_match_the_whole_text() {
    let digits = path(Path::Whole(Text::expression("/cart/[0-9]+|/x").unwrap()));
    assert!(digits.is_met_by(&get("/cart/42")));
    assert!(digits.is_met_by(&get("/x")));
    assert!(!digits.is_met_by(&get("/cart/42/items")));
    assert!(!digits.is_met_by(&get("/y/cart/42")));
}

#[test]
fn an_expression_that_takes_too_much_is_refused() {
    assert!(Text::expression("(a{1000}){1000}").is_err());
    assert!(Text::expression("(").is_err());
    assert!(
        Text::expression("(a+)+$").is_ok(),
        "linear, whatever its form"
    );
}

#[test]
fn what_would_get_out_of_the_whole_text_is_no_expression() {
    assert!(Text::expression("/a)|(?:/b").is_err());
}

#[test]
fn everything_in_a_match_has_to_hold() {
    let matcher = Matcher {
        method: Some(b"GET".as_slice().into()),
        headers: vec![field("x-tier", "gold")],
        queries: vec![field("page", "2")],
        ..prefix("/cart")
    };
    let request = || Asked {
        headers: HashMap::from([("x-tier", "gold")]),
        queries: HashMap::from([("page", "2")]),
        ..get("/cart")
    };
    assert!(matcher.is_met_by(&request()));
    for other in [
        Asked {
            method: "PUT",
            ..request()
        },
        Asked {
            path: "/",
            ..request()
        },
        Asked {
            headers: HashMap::new(),
            ..request()
        },
        Asked {
            queries: HashMap::from([("page", "3")]),
            ..request()
        },
    ] {
        assert!(!matcher.is_met_by(&other));
    }
}

#[test]
fn the_more_specific_match_wins() {
    let gold = || Asked {
        headers: HashMap::from([("x-tier", "gold"), ("x-user", "42")]),
        ..get("/cart/7")
    };
    let with_headers = |names: &[(&str, &str)]| Matcher {
        headers: names
            .iter()
            .map(|(name, value)| field(name, value))
            .collect(),
        ..prefix("/cart")
    };
    let with_method = Matcher {
        method: Some(b"GET".as_slice().into()),
        ..prefix("/cart")
    };
    let whole = || path(Path::Whole(exact("/cart/7")));
    assert_eq!(found(vec![prefix("/cart/7"), whole()], &gold()), Some(1));
    assert_eq!(
        found(vec![prefix("/cart"), prefix("/cart/7")], &gold()),
        Some(1)
    );
    assert_eq!(
        found(
            vec![with_headers(&[("x-tier", "gold")]), with_method.clone()],
            &gold()
        ),
        Some(1)
    );
    let both = with_headers(&[("x-tier", "gold"), ("x-user", "42")]);
    assert_eq!(
        found(vec![with_headers(&[("x-tier", "gold")]), both], &gold()),
        Some(1)
    );
    assert_eq!(found(vec![with_method, whole()], &gold()), Some(1));
}

#[test]
fn the_older_route_wins_a_tie_then_the_alphabet_then_the_order() {
    let made = |created_ns: Option<u64>, route: &str| Rule {
        created_ns,
        ..rule(route, vec![prefix("/")])
    };
    let table = |rules: &[Rule]| Table::new(rules).find(&get("/"));
    assert_eq!(
        table(&[made(Some(2), "a/a"), made(Some(1), "b/b")]),
        Some(1)
    );
    assert_eq!(table(&[made(None, "a/a"), made(Some(1), "b/b")]), Some(1));
    assert_eq!(
        table(&[made(None, "shop/b"), made(None, "shop/a")]),
        Some(1)
    );
    assert_eq!(
        table(&[made(None, "shop/a"), made(None, "shop/a")]),
        Some(0)
    );
}

#[test]
fn a_rule_without_matches_takes_what_no_other_does() {
    let rules = [
        rule("shop/cart", vec![]),
        rule("shop/cart", vec![prefix("/cart")]),
    ];
    let table = Table::new(&rules);
    assert_eq!(table.find(&get("/cart/7")), Some(1));
    assert_eq!(table.find(&get("/other")), Some(0));
    assert_eq!(Table::default().find(&get("/")), None);
}

fn call(service: Option<&str>, method: Option<&str>) -> Matcher {
    path(Path::Call {
        service: service.map(exact),
        method: method.map(exact),
    })
}

#[test]
fn a_call_is_met_by_service_and_method() {
    for (matcher, asked, is_met) in [
        (call(Some("a.B"), Some("C")), "/a.B/C", true),
        (call(Some("a.B"), None), "/a.B/C", true),
        (call(None, Some("C")), "/a.B/C", true),
        (call(None, None), "/a.B/C", true),
        (call(Some("a.B"), Some("C")), "/a.B/D", false),
        (call(Some("a"), None), "/a.B/C", false),
        (call(None, None), "/", false),
        (call(None, None), "/a.B", false),
        (call(None, None), "/a.B/", false),
        (call(None, None), "/a.B/C/D", false),
    ] {
        assert_eq!(
            matcher.is_met_by(&get(asked)),
            is_met,
            "{matcher:?} {asked}"
        );
    }
}

#[test]
fn the_longer_service_wins_then_the_longer_method() {
    let table = |matches| found(matches, &get("/a.B/C"));
    let (whole, service) = (call(Some("a.B"), Some("C")), call(Some("a.B"), None));
    assert_eq!(table(vec![service.clone(), whole]), Some(1));
    assert_eq!(table(vec![call(None, Some("C")), service]), Some(1));
    assert_eq!(
        table(vec![call(None, None), call(None, Some("C"))]),
        Some(1)
    );
}

#[test]
fn a_match_reads_as_people_write_it() {
    let expression = |source| Text::expression(source).unwrap();
    let full = Matcher {
        path: Some(Path::Prefix(b"/cart".as_slice().into())),
        method: Some(b"GET".as_slice().into()),
        headers: vec![field("x-user", "42")],
        queries: vec![Field {
            name: "page".into(),
            value: expression("[0-9]+"),
        }],
    };
    assert_eq!(full.to_string(), "GET /cart* x-user=42 ?page=~[0-9]+");
    let call = path(Path::Call {
        service: Some(exact("a.B")),
        method: None,
    });
    assert_eq!(call.to_string(), "a.B/*");
    assert_eq!(path(Path::Whole(expression("/c.*"))).to_string(), "~/c.*");
    assert_eq!(Matcher::default().to_string(), "*");
}
