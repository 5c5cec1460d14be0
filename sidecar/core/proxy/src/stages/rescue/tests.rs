use std::sync::Arc;

use policy::Reason;

use super::{Answer, Taste, answer, phrase, proxy_status};
use crate::chance::Chance;
use crate::name::PolicyRef;
use crate::stages::Refusal;

fn open() -> Refusal {
    let policy = PolicyRef {
        kind: "ResiliencePolicy".into(),
        namespace: "shop".into(),
        name: "cart".into(),
        generation: 1,
    };
    Refusal::new(Reason::BreakerOpen)
        .by(Some(Arc::new(policy)))
        .after(Some(300_000_000))
}

fn answer_to(refusal: &Refusal, taste: Taste) -> Answer {
    answer(refusal, taste, 0xabc, &Chance::from_seed(1))
}

fn field<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let found = answer.fields.iter().find(|(field, _)| *field == name);
    found.map(|(_, value)| &**value)
}

#[test]
fn a_problem_names_reason_and_policy_as_the_header_does() {
    let answer = answer_to(&open(), Taste::Problem);
    assert_eq!(answer.status, 503);
    assert_eq!(
        field(&answer, "proxy-status"),
        Some(
            "breakwater; error=destination_unavailable; details=\"breaker.open policy=shop/cart\""
        )
    );
    assert_eq!(field(&answer, "retry-after"), Some("1"));
    assert_eq!(
        answer.body,
        "{\"type\":\"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity\",\
         \"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"breaker.open policy=shop/cart\",\
         \"instance\":\"trace:00000000000000000000000000000abc\",\"reason\":\"breaker.open\"}"
    );
}

#[test]
fn an_open_breaker_tells_what_is_left_and_a_limit_up_to_a_tenth_more() {
    let told = |reason: Reason, taste, name: &str| {
        let refusal = Refusal::new(reason).after(Some(100_000_000_000));
        let answers = (0..64).map(|seed| answer(&refusal, taste, 1, &Chance::from_seed(seed)));
        let waits = answers.filter_map(|answer| field(&answer, name)?.parse::<u64>().ok());
        let waits: Vec<_> = waits.collect();
        (waits.iter().min().copied(), waits.iter().max().copied())
    };
    let open = Reason::BreakerOpen;
    let exact = |wait| (Some(wait), Some(wait));
    assert_eq!(told(open, Taste::Problem, "retry-after"), exact(100));
    assert_eq!(
        told(open, Taste::Grpc, "grpc-retry-pushback-ms"),
        exact(100_000)
    );
    let (least, most) = told(Reason::RatelimitToken, Taste::Problem, "retry-after");
    assert!(least < Some(103) && Some(107) < most && most <= Some(110));
}

#[test]
fn a_limit_that_was_violated_is_named() {
    let refusal = Refusal {
        status: Some(430),
        limit: Some("per-user".into()),
        ..open()
    };
    let answer = answer_to(&refusal, Taste::Problem);
    assert_eq!(answer.status, 430);
    assert!(
        answer
            .body
            .contains("\"violated-policies\":[\"shop/cart/per-user\"]")
    );
}

#[test]
fn text_is_for_those_who_do_not_take_json_and_where_problems_are_off() {
    let plain = answer_to(&open(), Taste::Text);
    let off = Refusal {
        has_problem: false,
        ..open()
    };
    let off = answer_to(&off, Taste::Problem);
    for answer in [plain, off] {
        assert_eq!(
            field(&answer, "content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(answer.body, "breaker.open policy=shop/cart\n");
    }
}

#[test]
fn grpc_gets_trailers_only() {
    let answer = answer_to(&open(), Taste::Grpc);
    assert_eq!((answer.status, &*answer.body), (200, ""));
    assert_eq!(field(&answer, "grpc-status"), Some("14"));
    assert_eq!(
        field(&answer, "grpc-message"),
        Some("breaker.open policy=shop/cart")
    );
    assert_eq!(field(&answer, "grpc-retry-pushback-ms"), Some("300"));
    assert!(field(&answer, "grpc-status-details-bin").is_some());
    assert_eq!(field(&answer, "retry-after"), None);
}

#[test]
fn what_was_given_up_answers_as_the_failure_behind_it() {
    let refusal = Refusal {
        last: Some(Reason::UpstreamConnect),
        ..Refusal::new(Reason::RetryBudget)
    };
    assert_eq!(answer_to(&refusal, Taste::Problem).status, 503);
    assert_eq!(
        proxy_status(&refusal),
        "breakwater; error=connection_refused; details=\"retry.budget\""
    );
}

#[test]
fn statuses_that_policies_name_have_their_own_phrases() {
    let told = [201, 299, 418, 430, 500].map(phrase);
    let expected = [
        "Created",
        "Answered",
        "I'm a teapot",
        "Refused",
        "Internal Server Error",
    ];
    assert_eq!(told, expected);
}

#[test]
fn every_reason_has_a_status_with_a_phrase() {
    for &reason in Reason::ALL {
        let status = Refusal::new(reason).http_status();
        assert_ne!(phrase(status), "Refused", "{status} of {}", reason.as_str());
    }
}
