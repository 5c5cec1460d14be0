//! The sidecar's own answers in HTTP/1.1.

use std::io::Write;

use http::{HeaderName, HeaderValue};
use http1::Known;

use crate::request::Edit;
use crate::stages::rescue::{Answer, phrase};

/// Appends an answer; `close` if the connection ends with it, without its body if that was asked for.
pub(super) fn write(answer: &Answer, close: bool, is_head: bool, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = write!(
        out,
        "HTTP/1.1 {} {}\r\n",
        answer.status,
        phrase(answer.status)
    );
    for (name, value) in &answer.fields {
        let _ = write!(out, "{name}: {value}\r\n");
    }
    let _ = write!(out, "content-length: {}\r\n", answer.body.len());
    if close {
        out.extend_from_slice(b"connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
    if !is_head {
        out.extend_from_slice(answer.body.as_bytes());
    }
}

/// An answer of the sidecar's own has nothing that came.
impl Edit for Answer {
    fn add(&mut self, name: &'static str, value: &[u8]) {
        self.fields
            .push((name.into(), String::from_utf8_lossy(value).into_owned()));
    }

    fn set(&mut self, name: Known, value: &[u8]) {
        self.remove(name);
        self.add(name.as_str(), value);
    }

    fn remove(&mut self, name: Known) {
        self.fields.retain(|(field, _)| *field != name.as_str());
    }

    fn remove_internal(&mut self) {}

    fn add_field(&mut self, name: &HeaderName, value: &HeaderValue) {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        self.fields.push((name.to_string().into(), value));
    }

    fn remove_field(&mut self, name: &HeaderName) {
        self.fields.retain(|(field, _)| *field != name.as_str());
    }
}
