use policy::Reason;
use policy::grpc::Code;
use proxy::ServiceName;
use proxy::report::{Span, SpanKind};

use super::request;
use crate::otlp::v1::any_value::Value;
use crate::otlp::v1::{self as otlp, StatusCode};

/// One attempt of a call to `shop/cart` that was answered.
fn attempt() -> Span {
    Span {
        trace: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c,
        id: 0xb7ad_6b71_6920_3331,
        parent: Some(7),
        kind: SpanKind::Client,
        began_unix_ns: 1_000,
        ended_unix_ns: 3_000,
        workload: Some(ServiceName::new("shop", "web")),
        service: Some(ServiceName::new("shop", "cart")),
        route: None,
        method: "GET",
        protocol: "HTTP/1.1",
        rpc: None,
        status: 200,
        code: None,
        failure: None,
        reason: None,
        policy: None,
        resends: 0,
        endpoint: Some("10.1.2.3:8080".parse().unwrap()),
    }
}

/// A request that `shop/cart` served.
fn served() -> Span {
    Span {
        kind: SpanKind::Server,
        workload: Some(ServiceName::new("shop", "cart")),
        endpoint: None,
        ..attempt()
    }
}

fn described(span: Span) -> otlp::Span {
    let mut request = request("web-0", &[span]);
    request.workloads.remove(0).spans.remove(0)
}

fn attributes(span: &otlp::Span) -> Vec<(&str, String)> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
    };
    let value = |pair: &otlp::KeyValue| {
        pair.value
            .as_ref()
            .and_then(|any| any.value.as_ref().map(text))
    };
    let pairs = span.attributes.iter();
    pairs
        .map(|pair| (&*pair.key, value(pair).unwrap()))
        .collect()
}

fn attribute(span: &otlp::Span, key: &str) -> Option<String> {
    let mut found = attributes(span).into_iter();
    found.find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// What is said to have gone wrong.
fn error(span: Span) -> Option<String> {
    let span = described(span);
    let is_error = span
        .status
        .is_some_and(|status| status.code() == StatusCode::Error);
    let error = attribute(&span, "error.type");
    assert_eq!(is_error, error.is_some());
    error
}

#[test]
fn an_attempt_is_told_in_the_words_of_the_conventions() {
    let span = described(attempt());
    assert_eq!(
        span.trace_id,
        0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes()
    );
    assert_eq!(span.span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    assert_eq!(span.parent_span_id, 7_u64.to_be_bytes());
    assert_eq!((&*span.name, span.kind()), ("GET", otlp::SpanKind::Client));
    assert_eq!(
        (span.start_time_unix_nano, span.end_time_unix_nano),
        (1_000, 3_000)
    );
    let told = [
        ("http.request.method", "GET"),
        ("url.scheme", "http"),
        ("network.protocol.name", "http"),
        ("network.protocol.version", "1.1"),
        ("http.response.status_code", "200"),
        ("server.address", "cart.shop"),
        ("server.port", "8080"),
        ("network.peer.address", "10.1.2.3"),
        ("network.peer.port", "8080"),
        ("breakwater.service", "shop/cart"),
    ];
    assert_eq!(
        attributes(&span),
        told.map(|(key, value)| (key, value.to_owned()))
    );
}

#[test]
fn a_grpc_call_has_the_name_of_its_method() {
    let span = described(Span {
        rpc: Some("shop.Cart/Add".into()),
        code: Some(Code::Unavailable),
        ..attempt()
    });
    assert_eq!(span.name, "shop.Cart/Add");
    assert_eq!(attribute(&span, "rpc.system.name").unwrap(), "grpc");
    assert_eq!(attribute(&span, "rpc.method").unwrap(), "shop.Cart/Add");
    assert_eq!(attribute(&span, "rpc.status_code").unwrap(), "UNAVAILABLE");
}

#[test]
fn a_method_of_nobodys_making_is_no_name() {
    let span = described(Span {
        method: "OTHER",
        ..attempt()
    });
    assert_eq!(span.name, "HTTP");
    assert_eq!(attribute(&span, "http.request.method").unwrap(), "_OTHER");
}

#[test]
fn a_trace_that_begins_here_has_no_parent() {
    let span = described(Span {
        parent: None,
        ..attempt()
    });
    assert_eq!(span.parent_span_id, []);
}

#[test]
fn an_attempt_after_the_first_says_which_it_is() {
    assert_eq!(
        attribute(&described(attempt()), "http.request.resend_count"),
        None
    );
    let second = described(Span {
        resends: 1,
        ..attempt()
    });
    assert_eq!(
        attribute(&second, "http.request.resend_count").unwrap(),
        "1"
    );
}

#[test]
fn a_caller_takes_more_for_its_failure_than_whoever_serves() {
    assert_eq!(error(attempt()), None);
    assert_eq!(
        error(Span {
            status: 404,
            ..attempt()
        })
        .unwrap(),
        "404"
    );
    assert_eq!(
        error(Span {
            status: 404,
            ..served()
        }),
        None
    );
    assert_eq!(
        error(Span {
            status: 503,
            ..served()
        })
        .unwrap(),
        "503"
    );
    let missing = Some(Code::NotFound);
    assert_eq!(
        error(Span {
            code: missing,
            ..attempt()
        })
        .unwrap(),
        "NOT_FOUND"
    );
    assert_eq!(
        error(Span {
            code: missing,
            ..served()
        }),
        None
    );
    let lost = Span {
        status: 0,
        failure: Some("reset"),
        ..attempt()
    };
    assert_eq!(error(lost).unwrap(), "reset");
}

#[test]
fn a_refusal_says_why() {
    let refused = described(Span {
        kind: SpanKind::Internal,
        status: 503,
        reason: Some(Reason::BreakerOpen),
        endpoint: None,
        ..attempt()
    });
    assert_eq!(refused.kind(), otlp::SpanKind::Internal);
    assert_eq!(
        attribute(&refused, "breakwater.reason").unwrap(),
        "breaker.open"
    );
}

#[test]
fn spans_are_sent_by_whose_they_are() {
    let request = request("web-0", &[served(), attempt(), served()]);
    let counts = request.workloads.iter().map(|each| {
        let service = each.service.as_ref().unwrap();
        (&*service.name, each.spans.len())
    });
    assert_eq!(counts.collect::<Vec<_>>(), [("cart", 2), ("web", 1)]);
}
