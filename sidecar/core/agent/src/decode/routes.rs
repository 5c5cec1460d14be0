//! Rules of routes: what requests look like, and where these go.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use policy::route::{Field, Matcher, Path, Rule, Text};
use proxy::config::{
    HeaderEdits, InboundRoutes, RouteBackend, RouteMirror, RouteRule, RouteSettings,
};

use super::origins::policy_ref;
use super::read::{Under, canonical, each, enumeration, port, positive, required};
use super::{Fault, service};
use crate::mesh;

/// The kind of routes whose matches are of gRPC calls.
const GRPC: &str = "GRPCRoute";

/// One rule; `settings` reads what holds for the requests that it sends to a backend.
pub(super) fn decode(
    wire: mesh::RouteRule,
    settings: impl Fn(Vec<mesh::OutboundVariant>) -> Result<RouteSettings, Fault>,
) -> Result<RouteRule, Fault> {
    let route = policy_ref(&required("route", wire.route)?);
    let matches = if &*route.kind == GRPC {
        calls(wire.grpc_matches)?
    } else {
        each("httpMatches", wire.http_matches, request)?
    };
    let created_at = wire.created_at.map(nanoseconds).transpose()?;
    Ok(RouteRule {
        matches: Rule {
            created_ns: created_at,
            route: route.to_string().into(),
            matches,
        },
        route: Arc::new(route),
        name: wire.name.into(),
        ports: each("ports", wire.ports, |number| port("", number))?,
        backends: each("backends", wire.backends, |wire| backend(wire, &settings))?,
        request_headers: edits("requestHeaders", wire.request_headers)?,
        response_headers: edits("responseHeaders", wire.response_headers)?,
        mirrors: each("mirrors", wire.mirrors, mirror)?,
    })
}

/// The rules by which calls of one service come in.
pub(super) fn inbound(wire: mesh::InboundRoutes) -> Result<InboundRoutes, Fault> {
    let bare = |rule| decode(rule, |_| Err(Fault::new("variants", "expected none here")));
    Ok(InboundRoutes {
        service: service(wire.service)?,
        hosts: wire.hosts.into_iter().map(Into::into).collect(),
        ports: each("ports", wire.ports, |number| port("", number))?,
        rules: each("rules", wire.rules, bare)?,
    })
}

fn nanoseconds(at: prost_types::Timestamp) -> Result<u64, Fault> {
    let read = || {
        let seconds = u64::try_from(at.seconds).ok()?;
        seconds
            .checked_mul(1_000_000_000)?
            .checked_add(u64::try_from(at.nanos).ok()?)
    };
    read().ok_or_else(|| Fault::new("createdAt", format!("expected an instant, found {at}")))
}

fn backend(
    wire: mesh::RouteBackend,
    settings: impl Fn(Vec<mesh::OutboundVariant>) -> Result<RouteSettings, Fault>,
) -> Result<RouteBackend, Fault> {
    let variants = wire.variants;
    Ok(RouteBackend {
        service: wire.service.map(|name| service(Some(name))).transpose()?,
        port: (wire.port != 0)
            .then(|| port("port", wire.port))
            .transpose()?,
        weight: wire.weight,
        settings: (!variants.is_empty())
            .then(|| settings(variants).map(Arc::new))
            .transpose()?,
    })
}

fn mirror(wire: mesh::RouteMirror) -> Result<RouteMirror, Fault> {
    let denominator = positive("denominator", wire.denominator)?;
    if wire.numerator > denominator {
        let reason = format!("expected at most {denominator}, found {}", wire.numerator);
        return Err(Fault::new("numerator", reason));
    }
    Ok(RouteMirror {
        service: service(wire.service)?,
        port: port("port", wire.port)?,
        numerator: wire.numerator,
        denominator,
    })
}

fn edits(
    field: &str,
    wire: Option<mesh::HeaderModifier>,
) -> Result<Option<Box<HeaderEdits>>, Fault> {
    let read = |wire: mesh::HeaderModifier| {
        Ok(Box::new(HeaderEdits {
            remove: each("remove", wire.remove, |name| header_name("", &name))?,
            set: each("set", wire.set, header_value)?,
            add: each("add", wire.add, header_value)?,
        }))
    };
    wire.map(read).transpose().under(field)
}

fn header_value(wire: mesh::HeaderValue) -> Result<(HeaderName, HeaderValue), Fault> {
    let value = HeaderValue::from_str(&wire.value);
    let value = value.map_err(|_| Fault::new("value", "expected printable ASCII"))?;
    Ok((header_name("name", &wire.name)?, value))
}

fn header_name(field: &str, text: &str) -> Result<HeaderName, Fault> {
    let name = text.parse();
    name.map_err(|_| {
        Fault::new(
            field,
            format!("expected the name of a header, found {text:?}"),
        )
    })
}

fn request(wire: mesh::HttpRouteMatch) -> Result<Matcher, Fault> {
    Ok(Matcher {
        path: wire.path.map(path).transpose().under("path")?,
        method: (!wire.method.is_empty()).then(|| wire.method.into_bytes().into()),
        headers: each("headers", wire.headers, header)?,
        queries: each("queryParams", wire.query_params, |wire| {
            Ok(Field {
                name: wire.name.into(),
                value: value("value", wire.r#type, wire.value)?,
            })
        })?,
    })
}

fn path(wire: mesh::HttpPathMatch) -> Result<Path, Fault> {
    Ok(match enumeration("type", wire.r#type)? {
        mesh::PathMatchType::Exact => Path::Whole(Text::Exact(canonical(&wire.value).into())),
        mesh::PathMatchType::PathPrefix | mesh::PathMatchType::Unspecified => {
            Path::Prefix(canonical(&wire.value).into())
        }
        mesh::PathMatchType::RegularExpression => Path::Whole(expression("value", &wire.value)?),
    })
}

fn header(wire: mesh::RouteHeaderMatch) -> Result<Field, Fault> {
    Ok(Field {
        name: wire.name.to_ascii_lowercase().into(),
        value: value("value", wire.r#type, wire.value)?,
    })
}

/// Matches of gRPC calls; a rule without any is for every call.
fn calls(wire: Vec<mesh::GrpcRouteMatch>) -> Result<Vec<Matcher>, Fault> {
    let wire = if wire.is_empty() {
        vec![mesh::GrpcRouteMatch::default()]
    } else {
        wire
    };
    each("grpcMatches", wire, |wire| {
        Ok(Matcher {
            path: Some(call(wire.method.unwrap_or_default()).under("method")?),
            headers: each("headers", wire.headers, header)?,
            ..Matcher::default()
        })
    })
}

fn call(wire: mesh::GrpcMethodMatch) -> Result<Path, Fault> {
    let part = |field, text: String| {
        (!text.is_empty())
            .then(|| value(field, wire.r#type, text))
            .transpose()
    };
    Ok(Path::Call {
        service: part("service", wire.service)?,
        method: part("method", wire.method)?,
    })
}

fn value(field: &str, kind: i32, text: String) -> Result<Text, Fault> {
    match enumeration("type", kind)? {
        mesh::ValueMatchType::Exact | mesh::ValueMatchType::Unspecified => Ok(exact(text)),
        mesh::ValueMatchType::RegularExpression => expression(field, &text),
    }
}

fn exact(text: String) -> Text {
    Text::Exact(text.into_bytes().into())
}

fn expression(field: &str, source: &str) -> Result<Text, Fault> {
    Text::expression(source).map_err(|error| Fault::new(field, error.to_string()))
}
