//! Fallbacks, and what is wrong with some.

use policy::Reason;
use proxy::config::Instead;

use super::super::fallback::decode;
use super::*;

fn response(headers: &[(&str, &str)]) -> mesh::Fallback {
    let headers = headers.iter();
    mesh::Fallback {
        when: vec!["Open".into(), "Timeout".into()],
        response: Some(mesh::FallbackResponse {
            status: 200,
            headers: headers
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            body: "later".into(),
        }),
        service: None,
    }
}

#[test]
fn an_answer_has_its_fields_in_lower_case_and_in_order() {
    let found = decode(response(&[("X-B", "2"), ("Content-Type", "text/html")])).unwrap();
    assert!(found.when.cover(Reason::BreakerOpen));
    assert!(!found.when.cover(Reason::BulkheadFull));
    let Instead::Response {
        status,
        headers,
        body,
    } = found.instead
    else {
        panic!("expected an answer");
    };
    assert_eq!((status, &*body), (200, "later"));
    let expected: [(Box<str>, Box<str>); 2] = [
        ("content-type".into(), "text/html".into()),
        ("x-b".into(), "2".into()),
    ];
    assert_eq!(headers, expected);
}

#[test]
fn a_service_has_its_namespace_before_its_name() {
    let named = |name: &str| mesh::Fallback {
        response: None,
        service: Some(mesh::FallbackService { name: name.into() }),
        ..response(&[])
    };
    let found = decode(named("shop/cart-static")).unwrap();
    let expected = ServiceName::new("shop", "cart-static");
    assert_eq!(found.instead, Instead::Service(expected));
    assert_eq!(decode(named("cart")).unwrap_err().field, "service.name");
}

#[test]
fn what_cannot_stand_in_an_answer_is_refused_with_its_path() {
    for (name, value) in [("x y", "1"), ("x", "1\r\nset-cookie: a=b")] {
        let wrong = decode(response(&[(name, value)])).unwrap_err();
        assert_eq!(wrong.field, "response.headers");
    }
    let unknown = mesh::Fallback {
        when: vec!["Open".into(), "Failed".into()],
        ..response(&[])
    };
    assert_eq!(decode(unknown).unwrap_err().field, "when[1]");
    assert!(decode(mesh::Fallback::default()).is_err());
}
