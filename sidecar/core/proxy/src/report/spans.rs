//! Spans of traces that are recorded.

use std::net::SocketAddr;
use std::sync::Arc;

use policy::Reason;
use policy::grpc::Code;

use crate::name::{PolicyRef, ServiceName};

/// A span of a trace that is recorded, as it ended; whoever sends it on formats it.
#[derive(Clone, Debug)]
pub struct Span {
    /// The trace.
    pub trace: u128,
    /// Its own id.
    pub id: u64,
    /// The span that it is a part of; `None` where the trace begins here.
    pub parent: Option<u64>,
    /// What it is of.
    pub kind: SpanKind,
    /// When it began, nanoseconds since 1970.
    pub began_unix_ns: u64,
    /// When it ended.
    pub ended_unix_ns: u64,
    /// Whose it is: the service that served or called.
    pub workload: Option<ServiceName>,
    /// The service that was called; `None` when the request named none.
    pub service: Option<ServiceName>,
    /// The rule that led there, `route/rule`.
    pub route: Option<Box<str>>,
    /// Method of the request.
    pub method: &'static str,
    /// Protocol as the log names it, such as `HTTP/1.1`.
    pub protocol: &'static str,
    /// Of a gRPC call, the method that it names, `package.Service/Method`.
    pub rpc: Option<Box<str>>,
    /// Status of the answer; 0 without one.
    pub status: u16,
    /// Its gRPC status.
    pub code: Option<Code>,
    /// What an attempt came to that was not answered.
    pub failure: Option<&'static str>,
    /// Why it was refused or failed.
    pub reason: Option<Reason>,
    /// The policy behind that.
    pub policy: Option<Arc<PolicyRef>>,
    /// Attempts before this one.
    pub resends: u32,
    /// Where an attempt went.
    pub endpoint: Option<SocketAddr>,
}

/// What a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// A request that our workload served.
    Server,
    /// One attempt of a call.
    Client,
    /// A call that came to no attempt.
    Internal,
}
