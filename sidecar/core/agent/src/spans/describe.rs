//! A span in the words of OpenTelemetry's semantic conventions. Pure.
//!
//! No path, query, header or address of a client is told: only what the access log tells too.

use std::net::SocketAddr;

use policy::grpc::Code;
use proxy::report::{self, SpanKind};

use crate::otlp::v1::any_value::Value;
use crate::otlp::v1::{AnyValue, KeyValue, Span, SpanKind as Kind, Status, StatusCode};

/// A method that has no name of its own, in attributes and in names.
const OTHER: (&str, &str) = ("_OTHER", "HTTP");

pub(super) fn span(span: &report::Span) -> Span {
    let error = error(span);
    let status = error.as_ref().map(|_| Status {
        code: StatusCode::Error.into(),
    });
    Span {
        trace_id: span.trace.to_be_bytes().to_vec(),
        span_id: span.id.to_be_bytes().to_vec(),
        parent_span_id: span
            .parent
            .map_or_else(Vec::new, |parent| parent.to_be_bytes().to_vec()),
        name: name(span).to_owned(),
        kind: kind(span.kind).into(),
        start_time_unix_nano: span.began_unix_ns,
        end_time_unix_nano: span.ended_unix_ns,
        attributes: attributes(span, error),
        status,
    }
}

const fn kind(kind: SpanKind) -> Kind {
    match kind {
        SpanKind::Server => Kind::Server,
        SpanKind::Client => Kind::Client,
        SpanKind::Internal => Kind::Internal,
    }
}

/// The gRPC method, else the HTTP method: nothing that has more values than people can list.
fn name(span: &report::Span) -> &str {
    match (&span.rpc, span.method) {
        (Some(rpc), _) => rpc,
        (None, "OTHER") => OTHER.1,
        (None, method) => method,
    }
}

fn attributes(span: &report::Span, error: Option<String>) -> Vec<KeyValue> {
    let mut told = Attributes(Vec::new());
    let method = if span.method == "OTHER" {
        OTHER.0
    } else {
        span.method
    };
    told.text("http.request.method", method);
    told.text("url.scheme", "http");
    told.text("network.protocol.name", "http");
    if let Some((_, version)) = span.protocol.split_once('/') {
        told.text("network.protocol.version", version);
    }
    told.number("http.response.status_code", span.status.into());
    told.number("http.request.resend_count", span.resends.into());
    if let Some(rpc) = &span.rpc {
        told.text("rpc.system.name", "grpc");
        told.text("rpc.method", rpc);
    }
    told.maybe("rpc.status_code", span.code.map(Code::name));
    told.maybe("error.type", error);
    if let Some(endpoint) = span.endpoint {
        told.peer(span, endpoint);
    }
    told.maybe("breakwater.service", span.service.as_ref());
    told.maybe("breakwater.route", span.route.as_ref());
    told.maybe("breakwater.reason", span.reason.map(policy::Reason::as_str));
    told.maybe("breakwater.policy", span.policy.as_ref());
    told.0
}

/// What went wrong, in few words; `None` where nobody says that something did. A caller takes every status from 400 on for
/// its failure, whoever serves only those that say so.
fn error(span: &report::Span) -> Option<String> {
    let least = if span.kind == SpanKind::Server {
        500
    } else {
        400
    };
    if let Some(code) = span.code.filter(|code| is_failure(span.kind, *code)) {
        return Some(code.name().to_owned());
    }
    if let Some(failure) = span.failure {
        return Some(failure.to_owned());
    }
    if span.status >= least {
        return Some(span.status.to_string());
    }
    let reason = span.reason.filter(|_| span.status == 0)?;
    Some(reason.as_str().to_owned())
}

/// Whether a gRPC status is a failure of the side that a span is of.
const fn is_failure(kind: SpanKind, code: Code) -> bool {
    match kind {
        SpanKind::Client | SpanKind::Internal => !matches!(code, Code::Ok),
        SpanKind::Server => matches!(
            code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        ),
    }
}

/// Attributes in the making.
struct Attributes(Vec<KeyValue>);

impl Attributes {
    /// Where an attempt went: the service that was called, and the endpoint of it.
    fn peer(&mut self, span: &report::Span, endpoint: SocketAddr) {
        let address = endpoint.ip().to_canonical().to_string();
        let port = endpoint.port().into();
        let named =
            |service: &proxy::ServiceName| format!("{}.{}", service.name(), service.namespace());
        let called = span.service.as_ref().map(named);
        self.text("server.address", called.as_ref().unwrap_or(&address));
        self.number("server.port", port);
        self.text("network.peer.address", &address);
        self.number("network.peer.port", port);
    }

    fn text(&mut self, key: &str, value: &str) {
        self.put(key, Value::StringValue(value.to_owned()));
    }

    fn maybe(&mut self, key: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.put(key, Value::StringValue(value.to_string()));
        }
    }

    /// A number that means something unless it is zero.
    fn number(&mut self, key: &str, value: i64) {
        if value != 0 {
            self.put(key, Value::IntValue(value));
        }
    }

    fn put(&mut self, key: &str, value: Value) {
        self.0.push(KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
        });
    }
}
