//! What answers instead of a failure.

use std::collections::{BTreeMap, HashMap};

use http::{HeaderName, HeaderValue};
use policy::fallback::{Case, Cases};
use proxy::ServiceName;
use proxy::config::{Fallback, Instead};

use super::Fault;
use super::read::{Under, each};
use crate::mesh;

pub(super) fn decode(wire: mesh::Fallback) -> Result<Fallback, Fault> {
    let instead = match (wire.response, wire.service) {
        (Some(wire), None) => response(wire).under("response")?,
        (None, Some(wire)) => service(&wire.name).under("service")?,
        _ => return Err(Fault::new("", "expected one of response and service")),
    };
    let when: Cases = each("when", wire.when, case)?.into_iter().collect();
    Ok(Fallback { when, instead })
}

fn case(word: String) -> Result<Case, Fault> {
    Case::parse(&word).ok_or_else(|| {
        let reason = format!("expected a case known here, found {word:?}");
        Fault::new("", reason)
    })
}

fn response(wire: mesh::FallbackResponse) -> Result<Instead, Fault> {
    let known = |status: &u16| (200..=599).contains(status);
    let status = u16::try_from(wire.status).ok().filter(known);
    let status = status.ok_or_else(|| {
        let reason = format!("expected 200 to 599, found {}", wire.status);
        Fault::new("status", reason)
    })?;
    Ok(Instead::Response {
        status,
        headers: headers(wire.headers)?,
        body: wire.body.into(),
    })
}

/// A field of an answer.
type Field = (Box<str>, Box<str>);

/// Fields in the order of their names, each of which may stand in an answer.
fn headers(wire: HashMap<String, String>) -> Result<Vec<Field>, Fault> {
    let sorted = BTreeMap::from_iter(wire).into_iter();
    let read = |(name, value): (String, String)| {
        let key: Option<HeaderName> = name.parse().ok();
        let key = key.filter(|_| HeaderValue::from_str(&value).is_ok());
        let key = key.ok_or_else(|| {
            Fault::new(
                "headers",
                format!("expected a field, found {name:?}: {value:?}"),
            )
        })?;
        Ok((key.as_str().into(), value.into()))
    };
    sorted.map(read).collect()
}

fn service(name: &str) -> Result<Instead, Fault> {
    let parts = name.split_once('/');
    let named = parts.filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty());
    let (namespace, name) = named.ok_or_else(|| {
        let reason = format!("expected namespace/name, found {name:?}");
        Fault::new("name", reason)
    })?;
    Ok(Instead::Service(ServiceName::new(namespace, name)))
}
