//! What the stages see of a message, whatever protocol it came in.

use std::net::IpAddr;

use http::{HeaderName, HeaderValue};
use http1::Known;
use policy::method::Method;

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    /// The address it came from.
    pub(crate) address: IpAddr,
    /// The connection it came over, by a number that no other one has.
    pub(crate) connection: u64,
}

/// The head of a request.
pub(crate) trait Request {
    /// The method, such as `GET`.
    fn method(&self) -> &[u8];
    /// The host called, without a port.
    fn host(&self) -> &[u8];
    /// The port called, if one was written.
    fn port(&self) -> Option<u16>;
    /// The path as it came, without the query.
    fn path(&self) -> &[u8];
    /// The query, without its question mark.
    fn query(&self) -> Option<&[u8]>;
    /// The first value of a known field.
    fn known(&self, name: Known) -> Option<&[u8]>;
    /// Hands every value of the field named `name`, in lower case, to `each`.
    fn visit(&self, name: &str, each: &mut dyn FnMut(&[u8]));
    /// The protocol, as the log names it.
    fn protocol(&self) -> &'static str;
    /// Who sent it.
    fn sender(&self) -> Sender;
    /// What it takes in memory.
    fn head_bytes(&self) -> u64;

    /// The first value of the field named `name`, in lower case.
    fn find(&self, name: &str) -> Option<Vec<u8>> {
        let mut first = None;
        self.visit(name, &mut |value| {
            first.get_or_insert_with(|| value.to_vec());
        });
        first
    }

    /// The address it came from.
    fn peer(&self) -> IpAddr {
        self.sender().address
    }

    /// Whether its answer streams whatever it says, as a tunnel's does.
    fn is_open_ended(&self) -> bool {
        Method::from_bytes(self.method()) == Method::Connect
    }

    /// Whether it is a gRPC call.
    fn is_grpc(&self) -> bool {
        self.known(Known::ContentType)
            .is_some_and(|value| value.starts_with(b"application/grpc"))
    }
}

/// A connection of whatever protocol, in the place of a request: all that is known is where it came from.
#[derive(Debug)]
pub(crate) struct Opaque(pub(crate) Sender);

impl Request for Opaque {
    fn method(&self) -> &[u8] {
        b""
    }

    fn host(&self) -> &[u8] {
        b""
    }

    fn port(&self) -> Option<u16> {
        None
    }

    fn path(&self) -> &[u8] {
        b""
    }

    fn query(&self) -> Option<&[u8]> {
        None
    }

    fn known(&self, _: Known) -> Option<&[u8]> {
        None
    }

    fn visit(&self, _: &str, _: &mut dyn FnMut(&[u8])) {}

    fn protocol(&self) -> &'static str {
        "TCP"
    }

    fn sender(&self) -> Sender {
        self.0
    }

    fn head_bytes(&self) -> u64 {
        0
    }

    fn is_open_ended(&self) -> bool {
        true
    }
}

/// The head of a response.
pub(crate) trait Response {
    /// The status.
    fn status(&self) -> u16;
    /// The first value of a known field.
    fn known(&self, name: Known) -> Option<&[u8]>;
    /// The first value of the field named `name`, in lower case.
    fn find(&self, name: &str) -> Option<&[u8]>;
}

/// The head that is sent on: what came, less what is removed, with what is added.
pub(crate) trait Edit {
    /// Adds a field.
    fn add(&mut self, name: &'static str, value: &[u8]);
    /// Puts `value` in the place of every field of this name.
    fn set(&mut self, name: Known, value: &[u8]);
    /// Leaves out every field of this name.
    fn remove(&mut self, name: Known);
    /// Leaves out every `breakwater-*` field.
    fn remove_internal(&mut self);
    /// Adds a field that only configuration knows.
    fn add_field(&mut self, name: &HeaderName, value: &HeaderValue);
    /// Leaves out every field of a name that only configuration knows, added ones too.
    fn remove_field(&mut self, name: &HeaderName);
}
