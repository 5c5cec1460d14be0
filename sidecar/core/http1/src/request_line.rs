//! The request line: method, target in one of four forms, version (RFC 9112 3).

use memchr::{memchr, memrchr};

use crate::framing::Version;
use crate::{Cause, Span, chars};

/// A request's method; names are case-sensitive.
#[allow(missing_docs, reason = "each variant is the name it stands for")]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Trace,
    Connect,
    Patch,
    /// Any other token; its bytes are in the head.
    Other,
}

impl Method {
    /// The method `name` stands for.
    pub fn find(name: &[u8]) -> Self {
        match name {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"OPTIONS" => Self::Options,
            b"TRACE" => Self::Trace,
            b"CONNECT" => Self::Connect,
            b"PATCH" => Self::Patch,
            _ => Self::Other,
        }
    }

    /// Whether it asks for no change (RFC 9110 9.2.1).
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options | Self::Trace)
    }

    /// Whether doing it twice is doing it once (RFC 9110 9.2.2).
    pub const fn is_idempotent(self) -> bool {
        self.is_safe() || matches!(self, Self::Put | Self::Delete)
    }
}

/// Which of its four forms a target has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TargetForm {
    /// `/path?query`.
    #[default]
    Origin,
    /// `http://host/path?query`, as sent to a proxy.
    Absolute,
    /// `host:port`, of CONNECT.
    Authority,
    /// `*`, of OPTIONS.
    Asterisk,
}

/// A request line taken apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    pub(crate) method_name: Span,
    pub(crate) target: Span,
    pub(crate) form: TargetForm,
    /// The authority of an absolute or authority form.
    pub(crate) authority: Option<Span>,
    /// The port that a missing one stands for.
    pub(crate) default_port: u16,
    pub(crate) path_and_query: Span,
    pub(crate) version: Version,
}

impl RequestLine {
    /// Reads `line`: three words with one space between, nothing around.
    pub(crate) fn parse(buf: &[u8], line: Span, target_bytes: usize) -> Result<Self, Cause> {
        let bytes = line.of(buf);
        chars::check_text(bytes)?;
        let method_len = memchr(b' ', bytes).ok_or(Cause::RequestLine)?;
        let version_at = memrchr(b' ', bytes).ok_or(Cause::RequestLine)? + 1;
        if method_len == 0 {
            return Err(Cause::LeadingSpace);
        }
        if !bytes[..method_len]
            .iter()
            .all(|&byte| chars::is_token(byte))
        {
            return Err(Cause::MethodInvalid);
        }
        if version_at < method_len + 3 {
            return Err(Cause::RequestLine);
        }
        let target = line.part(method_len + 1, version_at - method_len - 2);
        check_target(target.of(buf), target_bytes)?;
        let version = Version::parse(&bytes[version_at..])?;
        let mut request_line = Self {
            method: Method::find(&bytes[..method_len]),
            method_name: line.part(0, method_len),
            target,
            version,
            ..Self::default()
        };
        request_line.read_form(buf)?;
        Ok(request_line)
    }

    fn read_form(&mut self, buf: &[u8]) -> Result<(), Cause> {
        match (self.target.of(buf), self.method) {
            (_, Method::Connect) => {
                self.form = TargetForm::Authority;
                self.authority = Some(self.target);
                self.path_and_query = self.target.part(0, 0);
            }
            ([b'/', ..], _) => self.path_and_query = self.target,
            (b"*", Method::Options) => {
                self.form = TargetForm::Asterisk;
                self.path_and_query = self.target;
            }
            (target, _) => self.read_absolute(target)?,
        }
        Ok(())
    }

    fn read_absolute(&mut self, target: &[u8]) -> Result<(), Cause> {
        let (scheme_len, default_port) = match target {
            _ if starts_with(target, b"http://") => (7, 80),
            _ if starts_with(target, b"https://") => (8, 443),
            _ => return Err(Cause::TargetForm),
        };
        let rest = self.target.from(scheme_len);
        let authority_len = target[scheme_len..]
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?'))
            .unwrap_or(rest.len());
        self.form = TargetForm::Absolute;
        self.authority = Some(rest.part(0, authority_len));
        self.default_port = default_port;
        self.path_and_query = rest.from(authority_len);
        Ok(())
    }
}

fn check_target(target: &[u8], target_bytes: usize) -> Result<(), Cause> {
    if target.len() > target_bytes {
        return Err(Cause::TargetTooLong);
    }
    if !chars::is_visible(target) {
        let has_space = memchr(b' ', target).is_some();
        return Err(if has_space {
            Cause::RequestLine
        } else {
            Cause::TargetByte
        });
    }
    if memchr(b'#', target).is_some() {
        return Err(Cause::TargetFragment);
    }
    Ok(())
}

fn starts_with(target: &[u8], scheme: &[u8]) -> bool {
    target.len() >= scheme.len() && target[..scheme.len()].eq_ignore_ascii_case(scheme)
}
