use std::sync::Arc;

use policy::Reason;
use policy::fallback::Case;

use super::{answer, covers, mark};
use crate::config::{Block, Fallback, Instead};
use crate::name::{PolicyRef, ServiceName};
use crate::stages::Refusal;
use crate::stages::rescue::Answer;

fn block(instead: Instead) -> Block<Fallback> {
    let policy = PolicyRef {
        kind: "ResiliencePolicy".into(),
        namespace: "shop".into(),
        name: "cart".into(),
        generation: 1,
    };
    Block {
        params: Fallback {
            when: [Case::Open].into_iter().collect(),
            instead,
        },
        policy: Some(Arc::new(policy)),
    }
}

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Block<Fallback> {
    let headers = headers.iter();
    block(Instead::Response {
        status,
        headers: headers
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        body: body.into(),
    })
}

fn open() -> Refusal {
    Refusal::new(Reason::BreakerOpen)
}

fn field<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let found = answer.fields.iter().find(|(field, _)| field == name);
    found.map(|(_, value)| &**value)
}

#[test]
fn what_failed_last_decides_whether_it_is_covered() {
    let block = response(200, &[], "");
    assert!(covers(&block, &open()));
    assert!(!covers(&block, &Refusal::new(Reason::TimeoutRequest)));
    let given_up = Refusal {
        last: Some(Reason::BreakerOpen),
        ..Refusal::new(Reason::RetryBudget)
    };
    assert!(covers(&block, &given_up));
}

#[test]
fn an_answer_is_as_written_and_says_what_failed() {
    let block = response(200, &[("content-type", "application/json")], "[]");
    let answer = answer(&block, &open(), false).unwrap();
    assert_eq!((answer.status, &*answer.body), (200, "[]"));
    assert_eq!(field(&answer, "content-type"), Some("application/json"));
    assert_eq!(
        field(&answer, "breakwater-fallback"),
        Some("breaker.open;policy=\"shop/cart\"")
    );
    let said = field(&answer, "proxy-status").unwrap();
    assert!(said.contains("breaker.open"));
}

#[test]
fn a_body_without_a_type_is_text() {
    let text = answer(&response(200, &[], "later"), &open(), false).unwrap();
    assert_eq!(
        field(&text, "content-type"),
        Some("text/plain; charset=utf-8")
    );
    let none = answer(&response(200, &[], ""), &open(), false).unwrap();
    assert_eq!(field(&none, "content-type"), None);
}

#[test]
fn a_grpc_call_gets_a_failure_as_its_clients_read_it_and_nothing_else() {
    let answer_of = |status| answer(&response(status, &[], "come\nback"), &open(), true);
    let told = answer_of(404).unwrap();
    assert_eq!((told.status, &*told.body), (200, ""));
    assert_eq!(field(&told, "grpc-status"), Some("12"));
    assert_eq!(field(&told, "grpc-message"), Some("come back"));
    assert!(answer_of(200).is_none());
}

#[test]
fn a_service_is_named_and_answers_itself() {
    let block = block(Instead::Service(ServiceName::new("shop", "cart-static")));
    assert!(answer(&block, &open(), false).is_none());
    assert_eq!(
        mark(&block, &open()),
        "breaker.open;policy=\"shop/cart\";service=\"shop/cart-static\""
    );
}
