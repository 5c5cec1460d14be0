//! Heads of HTTP/2 as the stages see and edit them.

use std::sync::LazyLock;

use http::request::Parts as RequestParts;
use http::response::Parts as ResponseParts;
use http::{HeaderMap, HeaderName, HeaderValue};
use http1::Known;
use smallvec::SmallVec;

use crate::request::{Edit, Request, Response, Sender};

/// The known names, in the order of their numbers.
static NAMES: LazyLock<Vec<HeaderName>> = LazyLock::new(|| {
    let names = Known::ALL.iter().map(|known| known.as_str());
    names.map(HeaderName::from_static).collect()
});

/// The sidecars' own fields begin so.
const INTERNAL: &str = "breakwater-";

/// Fields about one connection, or about how a message is read: no trailer says them.
const NEVER_TRAILERS: [Known; 6] = [
    Known::Te,
    Known::Host,
    Known::ContentLength,
    Known::Expect,
    Known::Trailer,
    Known::MaxForwards,
];

/// A request's head, and whom it calls.
#[derive(Clone, Copy)]
pub(super) struct RequestView<'a> {
    pub(super) head: &'a RequestParts,
    pub(super) sender: Sender,
}

impl Request for RequestView<'_> {
    fn method(&self) -> &[u8] {
        self.head.method.as_str().as_bytes()
    }

    fn host(&self) -> &[u8] {
        self.head.uri.host().unwrap_or_default().as_bytes()
    }

    fn port(&self) -> Option<u16> {
        self.head.uri.port_u16()
    }

    fn path(&self) -> &[u8] {
        self.head.uri.path().as_bytes()
    }

    fn query(&self) -> Option<&[u8]> {
        self.head.uri.query().map(str::as_bytes)
    }

    fn known(&self, name: Known) -> Option<&[u8]> {
        field(&self.head.headers, name)
    }

    fn visit(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        // `:authority` stands for it (RFC 9113, 8.3.1).
        if let ("host", Some(authority)) = (name, self.head.uri.authority()) {
            return each(authority.as_str().as_bytes());
        }
        let values = self.head.headers.get_all(name).iter();
        values.map(HeaderValue::as_bytes).for_each(each);
    }

    fn protocol(&self) -> &'static str {
        "HTTP/2"
    }

    fn sender(&self) -> Sender {
        self.sender
    }

    fn head_bytes(&self) -> u64 {
        let fields = self.head.headers.iter();
        let lengths = fields.map(|(name, value)| name.as_str().len() + value.len());
        let target = self.head.uri.path_and_query();
        (lengths.sum::<usize>() + target.map_or(0, |target| target.as_str().len())) as u64
    }
}

/// A response's head.
#[derive(Clone, Copy)]
pub(super) struct ResponseView<'a>(pub(super) &'a ResponseParts);

impl Response for ResponseView<'_> {
    fn status(&self) -> u16 {
        self.0.status.as_u16()
    }

    fn known(&self, name: Known) -> Option<&[u8]> {
        field(&self.0.headers, name)
    }

    fn find(&self, name: &str) -> Option<&[u8]> {
        self.0.headers.get(name).map(HeaderValue::as_bytes)
    }
}

/// The first value of a known field.
pub(super) fn field(fields: &HeaderMap, name: Known) -> Option<&[u8]> {
    fields.get(key(name)).map(HeaderValue::as_bytes)
}

/// The name as maps of fields know it.
pub(super) fn key(name: Known) -> &'static HeaderName {
    &NAMES[name as usize]
}

/// A head in the making.
pub(super) struct Draft<'a>(pub(super) &'a mut HeaderMap);

impl Edit for Draft<'_> {
    fn add(&mut self, name: &'static str, value: &[u8]) {
        // What the stages add is text, and never refused.
        if let Ok(value) = HeaderValue::from_bytes(value) {
            self.0.append(HeaderName::from_static(name), value);
        }
    }

    fn set(&mut self, name: Known, value: &[u8]) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            self.0.insert(key(name), value);
        }
    }

    fn remove(&mut self, name: Known) {
        self.0.remove(key(name));
    }

    fn remove_internal(&mut self) {
        let is_internal = |name: &&HeaderName| name.as_str().starts_with(INTERNAL);
        let internal: SmallVec<[HeaderName; 4]> =
            self.0.keys().filter(is_internal).cloned().collect();
        for name in internal {
            self.0.remove(name);
        }
    }

    fn add_field(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.0.append(name, value.clone());
    }

    fn remove_field(&mut self, name: &HeaderName) {
        self.0.remove(name);
    }
}

/// Leaves out what no trailer may say.
pub(super) fn clean_trailers(trailers: &mut HeaderMap) {
    for name in NEVER_TRAILERS {
        trailers.remove(key(name));
    }
}
