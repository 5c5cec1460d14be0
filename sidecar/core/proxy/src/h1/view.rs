//! Heads of HTTP/1.1 as the stages see and edit them.

use http::{HeaderName, HeaderValue};
use http1::{Fields, HeadWriter, Known, RequestHead, ResponseHead, Version};

use crate::request::{Edit, Request, Response, Sender};

/// A request's head and the bytes it lies in.
#[derive(Clone, Copy)]
pub(super) struct RequestView<'a> {
    pub(super) head: &'a RequestHead,
    pub(super) bytes: &'a [u8],
    pub(super) sender: Sender,
}

impl Request for RequestView<'_> {
    fn method(&self) -> &[u8] {
        self.head.method_name.of(self.bytes)
    }

    fn host(&self) -> &[u8] {
        self.head.host.of(self.bytes)
    }

    fn port(&self) -> Option<u16> {
        self.head.port
    }

    fn path(&self) -> &[u8] {
        self.head.path(self.bytes)
    }

    fn query(&self) -> Option<&[u8]> {
        let all = self.head.path_and_query.of(self.bytes);
        let at = memchr::memchr(b'?', all)?;
        Some(&all[at + 1..])
    }

    fn known(&self, name: Known) -> Option<&[u8]> {
        self.head.fields.value(self.bytes, name)
    }

    fn visit(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        if let Some(known) = Known::find(name.as_bytes()) {
            return self.head.fields.values(self.bytes, known).for_each(each);
        }
        for field in self.head.fields.iter() {
            if field
                .name
                .of(self.bytes)
                .eq_ignore_ascii_case(name.as_bytes())
            {
                each(field.value.of(self.bytes));
            }
        }
    }

    fn protocol(&self) -> &'static str {
        match self.head.version {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }

    fn sender(&self) -> Sender {
        self.sender
    }

    fn head_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// A response's head and the bytes it lies in.
#[derive(Clone, Copy)]
pub(super) struct ResponseView<'a> {
    pub(super) head: &'a ResponseHead,
    pub(super) bytes: &'a [u8],
}

impl Response for ResponseView<'_> {
    fn status(&self) -> u16 {
        self.head.status
    }

    fn known(&self, name: Known) -> Option<&[u8]> {
        self.head.fields.value(self.bytes, name)
    }

    fn find(&self, name: &str) -> Option<&[u8]> {
        if let Some(known) = Known::find(name.as_bytes()) {
            return self.known(known);
        }
        let mut fields = self.head.fields.iter();
        let field = fields.find(|field| {
            let found = field.name.of(self.bytes);
            found.eq_ignore_ascii_case(name.as_bytes())
        });
        field.map(|field| field.value.of(self.bytes))
    }
}

/// A head in the making.
pub(super) struct Draft<'a> {
    pub(super) writer: &'a mut HeadWriter,
    pub(super) fields: &'a Fields,
    /// What came.
    pub(super) bytes: &'a [u8],
}

impl Edit for Draft<'_> {
    fn add(&mut self, name: &'static str, value: &[u8]) {
        self.writer.add(name, value);
    }

    fn set(&mut self, name: Known, value: &[u8]) {
        self.writer.set(self.fields, name, value);
    }

    fn remove(&mut self, name: Known) {
        self.writer.remove(self.fields, name);
    }

    fn remove_internal(&mut self) {
        self.writer.remove_internal(self.fields);
    }

    fn add_field(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.writer.add(name.as_str(), value.as_bytes());
    }

    fn remove_field(&mut self, name: &HeaderName) {
        let name = name.as_str().as_bytes();
        self.writer.remove_named(self.bytes, self.fields, name);
    }
}
