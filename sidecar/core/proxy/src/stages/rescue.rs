//! Rescue: turns a refusal into the answer. Every answer names its reason, in the same word everywhere.

mod details;

use std::borrow::Cow;
use std::fmt::Write;

use http::StatusCode;
use http1::Known;
use policy::Reason;
use policy::grpc::Code;
use policy::rate_limit::{pushback_ms, retry_after_seconds};

use super::Refusal;
use crate::chance::Chance;
use crate::request::Request;

/// An answer of the sidecar's own, in no protocol yet.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Fields beside the length of the body.
    pub(crate) fields: Vec<(Cow<'static, str>, String)>,
    pub(crate) body: String,
}

/// What kind of answer the client understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taste {
    Grpc,
    Problem,
    Text,
}

impl Taste {
    /// Problem details for whoever takes JSON, also by saying nothing.
    pub(crate) fn of(request: &dyn Request) -> Self {
        if request.is_grpc() {
            return Self::Grpc;
        }
        let takes_json = |accept: &[u8]| {
            let accept = accept.to_ascii_lowercase();
            let has = |kind: &[u8]| accept.windows(kind.len()).any(|window| window == kind);
            has(b"json") || has(b"*/*") || has(b"application/*")
        };
        match request.known(Known::Accept) {
            Some(accept) if !takes_json(accept) => Self::Text,
            _ => Self::Problem,
        }
    }
}

/// The answer to a request of this trace that was refused.
pub(crate) fn answer(refusal: &Refusal, taste: Taste, trace: u128, chance: &Chance) -> Answer {
    let mut fields = vec![(Known::ProxyStatus.as_str().into(), proxy_status(refusal))];
    if taste == Taste::Grpc {
        return grpc(refusal, fields, chance);
    }
    if let Some(wait_ns) = refusal.retry_after_ns {
        let seconds = retry_after_seconds(wait_ns, spread(refusal, chance));
        fields.push((Known::RetryAfter.as_str().into(), seconds.to_string()));
    }
    let (kind, body) = match taste {
        Taste::Problem if refusal.has_problem => {
            ("application/problem+json", problem(refusal, trace))
        }
        _ => (
            "text/plain; charset=utf-8",
            format!("{}\n", summary(refusal)),
        ),
    };
    fields.push((Known::ContentType.as_str().into(), kind.to_owned()));
    Answer {
        status: refusal.http_status(),
        fields,
        body,
    }
}

/// By what chance a wait is told longer than it is: whom a limit refused shall not all come back at once. A breaker tells
/// what is left of its open time, and has its own ways with those who come then.
fn spread(refusal: &Refusal, chance: &Chance) -> u64 {
    match refusal.reason {
        Reason::BreakerOpen => 0,
        _ => chance.draw(),
    }
}

/// Trailers only: the status stands in the headers, and there is no body.
fn grpc(
    refusal: &Refusal,
    mut fields: Vec<(Cow<'static, str>, String)>,
    chance: &Chance,
) -> Answer {
    let code = refusal.grpc_code();
    let message = summary(refusal);
    let pushback_ms = refusal
        .retry_after_ns
        .map(|wait_ns| pushback_ms(wait_ns, spread(refusal, chance)));
    fields.push((
        Known::ContentType.as_str().into(),
        "application/grpc".to_owned(),
    ));
    fields.push((Known::GrpcStatus.as_str().into(), code.number().to_string()));
    fields.push((Known::GrpcMessage.as_str().into(), message.clone()));
    let details = details::encode(refusal, code, &message, pushback_ms);
    fields.push((Known::GrpcStatusDetailsBin.as_str().into(), details));
    if let Some(pushback_ms) = pushback_ms {
        fields.push((
            Known::GrpcRetryPushbackMs.as_str().into(),
            pushback_ms.to_string(),
        ));
    }
    Answer {
        status: 200,
        fields,
        body: String::new(),
    }
}

/// `breakwater; error=destination_unavailable; details="breaker.open policy=shop/cart"` (RFC 9209).
pub(crate) fn proxy_status(refusal: &Refusal) -> String {
    let mut value = String::from("breakwater");
    if let Some(error) = refusal.error() {
        let _ = write!(value, "; error={error}");
    }
    let _ = write!(value, "; details=\"{}\"", summary(refusal));
    value
}

/// The reason, with the policy and the limit behind it.
fn summary(refusal: &Refusal) -> String {
    let mut text = refusal.reason.as_str().to_owned();
    if let Some(policy) = &refusal.policy {
        let _ = write!(text, " policy={policy}");
    }
    if let Some(limit) = &refusal.limit {
        let _ = write!(text, " limit={limit}");
    }
    text
}

/// RFC 9457. Names of policies and limits are words, so nothing in it needs an escape.
fn problem(refusal: &Refusal, trace: u128) -> String {
    let kind = match refusal.http_status() {
        429 => "https://iana.org/assignments/http-problem-types#quota-exceeded",
        _ if refusal.grpc_code() == Code::Unavailable => {
            "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
        }
        _ => "about:blank",
    };
    let (status, title) = (refusal.http_status(), phrase(refusal.http_status()));
    let (reason, detail) = (refusal.reason.as_str(), summary(refusal));
    let mut body = format!(
        r#"{{"type":"{kind}","title":"{title}","status":{status},"detail":"{detail}","instance":"trace:{trace:032x}","reason":"{reason}""#
    );
    if let (Some(policy), Some(limit)) = (&refusal.policy, &refusal.limit) {
        let _ = write!(body, r#","violated-policies":["{policy}/{limit}"]"#);
    }
    body.push('}');
    body
}

/// The reason phrase of a status that the sidecar answers with, its own or one that a policy names.
pub(crate) fn phrase(status: u16) -> &'static str {
    let known = StatusCode::from_u16(status).ok();
    match status {
        413 => "Content Too Large",
        499 => "Client Closed Request",
        _ => match known.and_then(|known| known.canonical_reason()) {
            Some(phrase) => phrase,
            None if status < 400 => "Answered",
            None => "Refused",
        },
    }
}

#[cfg(test)]
mod tests;
