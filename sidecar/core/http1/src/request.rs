//! Request heads: what downstream sends.

use crate::connection;
use crate::framing::{self, Framing, Version};
use crate::line::Lines;
use crate::request_line::{Method, RequestLine, TargetForm};
use crate::uri::Authority;
use crate::{Cause, Fields, Known, Limits, Span};

/// A request's head as ranges of the buffer it was parsed from; reused from request to request.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The method's bytes.
    pub method_name: Span,
    /// The target as it came.
    pub target: Span,
    /// The target's form.
    pub form: TargetForm,
    /// The target without scheme and authority; empty for CONNECT and for an absolute form without path.
    pub path_and_query: Span,
    path: Span,
    /// Host and port as they came, in `Host` or, for CONNECT, in the target.
    pub authority: Span,
    /// The host alone.
    pub host: Span,
    /// The port, if one was written.
    pub port: Option<u16>,
    /// The version of the peer's request.
    pub version: Version,
    /// The fields.
    pub fields: Fields,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the connection may carry another request after this exchange.
    pub keep_alive: bool,
    /// Whether the peer waits for a 100 before it sends the body.
    pub expect_continue: bool,
    /// The protocols of an upgrade to pass on. Nothing after this request may go upstream before its 101.
    pub upgrade: Option<Span>,
    /// Whether the peer takes trailers.
    pub takes_trailers: bool,
}

/// Reads request heads, each incrementally: call [`parse`](Self::parse) again with more bytes.
#[derive(Clone, Debug)]
pub struct RequestParser {
    limits: Limits,
    lines: Lines,
    has_line: bool,
    default_port: u16,
}

/// Room in the first line for what is not the target.
const LINE_ROOM: usize = 64;

impl RequestParser {
    /// A parser at the beginning of a connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            lines: Lines::default(),
            has_line: false,
            default_port: 0,
        }
    }

    /// Reads the head at the beginning of `buf` into `head`. `Some(length)` when it is whole; then the
    /// body begins at that place, and the next call begins a new head. `None` asks for the same bytes
    /// with more after them.
    pub fn parse(&mut self, buf: &[u8], head: &mut RequestHead) -> Result<Option<usize>, Cause> {
        if !self.has_line && !self.read_line(buf, head)? {
            return Ok(None);
        }
        if !self
            .lines
            .read_fields(buf, &self.limits, &mut head.fields)?
        {
            return Ok(None);
        }
        let length = self.lines.start();
        head.finish(buf, self.default_port)?;
        (self.lines, self.has_line) = (Lines::default(), false);
        Ok(Some(length))
    }

    /// Whether part of a head was read: closing now would cut a request. An empty line before one is no part.
    pub const fn is_inside(&self) -> bool {
        self.has_line || self.lines.is_inside()
    }

    fn read_line(&mut self, buf: &[u8], head: &mut RequestHead) -> Result<bool, Cause> {
        let Some(line) = self.next_line(buf)? else {
            return Ok(false);
        };
        let line = RequestLine::parse(buf, line, self.limits.target_bytes)?;
        self.has_line = true;
        self.default_port = line.default_port;
        head.begin(line);
        Ok(true)
    }

    /// The first line, after at most one empty one (RFC 9112 2.2).
    fn next_line(&mut self, buf: &[u8]) -> Result<Option<Span>, Cause> {
        loop {
            let limit = self.lines.start() + self.limits.target_bytes + LINE_ROOM;
            let limit = limit.min(self.limits.head_bytes);
            let line = self.lines.next(buf, limit, Cause::TargetTooLong)?;
            match line {
                Some(line) if line.is_empty() && line.start == 0 => {}
                _ => return Ok(line),
            }
        }
    }
}

impl RequestHead {
    /// The path as it came, without the query; `/` where an absolute form left it out, nothing for
    /// CONNECT. Match on its [canonical form](crate::canonical_path).
    pub fn path<'buf>(&self, buf: &'buf [u8]) -> &'buf [u8] {
        if self.path.is_empty() && self.form == TargetForm::Absolute {
            return b"/";
        }
        self.path.of(buf)
    }

    fn begin(&mut self, line: RequestLine) {
        self.method = line.method;
        self.method_name = line.method_name;
        self.target = line.target;
        self.form = line.form;
        self.path_and_query = line.path_and_query;
        self.authority = line.authority.unwrap_or_default();
        self.version = line.version;
        self.fields.clear();
    }

    fn finish(&mut self, buf: &[u8], default_port: u16) -> Result<(), Cause> {
        self.framing = framing::declared(buf, &self.fields, self.version)?;
        if self.method == Method::Connect
            && !matches!(self.framing, Framing::None | Framing::Length(0))
        {
            return Err(Cause::ConnectBody);
        }
        self.read_authority(buf, default_port)?;
        self.read_expectation(buf)?;
        self.read_connection(buf)?;
        self.path = self.path_of(buf);
        Ok(())
    }

    fn path_of(&self, buf: &[u8]) -> Span {
        let bytes = self.path_and_query.of(buf);
        self.path_and_query
            .part(0, memchr::memchr(b'?', bytes).unwrap_or(bytes.len()))
    }

    /// Takes the authority from Host, and refuses a target that names another.
    fn read_authority(&mut self, buf: &[u8], default_port: u16) -> Result<(), Cause> {
        let field = self.fields.find(Known::Host).ok_or(Cause::HostMissing)?;
        if self.fields.is_repeated(Known::Host) {
            return Err(Cause::HostRepeated);
        }
        let host = Authority::parse(field.value.of(buf))?;
        let from_target = std::mem::replace(&mut self.authority, field.value);
        (self.host, self.port) = (field.value.part(0, host.host.len()), host.port);
        match self.form {
            TargetForm::Origin | TargetForm::Asterisk => Ok(()),
            TargetForm::Absolute => {
                let target = Authority::parse(from_target.of(buf))?;
                same(target.is_same(&host, default_port))
            }
            TargetForm::Authority => {
                let target = Authority::parse(from_target.of(buf))?;
                let port = target.port.ok_or(Cause::TargetForm)?;
                self.authority = from_target;
                (self.host, self.port) = (from_target.part(0, target.host.len()), target.port);
                same(target.is_same(&host, port))
            }
        }
    }

    fn read_expectation(&mut self, buf: &[u8]) -> Result<(), Cause> {
        self.expect_continue = match self.fields.value(buf, Known::Expect) {
            None => false,
            Some(b"100-continue") if !self.fields.is_repeated(Known::Expect) => {
                self.version == Version::Http11
            }
            Some(_) => return Err(Cause::Expectation),
        };
        Ok(())
    }

    fn read_connection(&mut self, buf: &[u8]) -> Result<(), Cause> {
        let options = connection::read_options(buf, &mut self.fields)?;
        // A proxy keeps no connection open for HTTP/1.0 (RFC 9112 9.3).
        self.keep_alive = self.version == Version::Http11 && !options.close;
        self.upgrade = connection::find_upgrade(buf, &self.fields, options, self.version);
        self.takes_trailers = connection::takes_trailers(buf, &self.fields);
        Ok(())
    }
}

fn same(is_same: bool) -> Result<(), Cause> {
    if is_same {
        Ok(())
    } else {
        Err(Cause::HostMismatch)
    }
}
