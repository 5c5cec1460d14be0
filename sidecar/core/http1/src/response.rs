//! Response heads: what upstream sends.

use crate::connection;
use crate::framing::{self, Framing, Version};
use crate::line::Lines;
use crate::request_line::Method;
use crate::{Cause, Fields, Limits, Span, chars};

/// What was asked, as far as it decides how the answer is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// The request's method.
    pub method: Method,
    /// Whether an upgrade was passed on.
    pub upgrade: bool,
}

/// A response's head as ranges of the buffer it was parsed from; reused from response to response.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    /// The status, 100 to 599.
    pub status: u16,
    /// The reason phrase; often empty.
    pub reason: Span,
    /// The version of the peer's response.
    pub version: Version,
    /// The fields.
    pub fields: Fields,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the connection may carry another request after this response's end.
    pub keep_alive: bool,
    /// The protocols a 101 switches to.
    pub upgrade: Option<Span>,
    /// Bytes of the status line up to its CRLF.
    pub(crate) line: Span,
}

impl ResponseHead {
    /// Whether another response to the same request follows: any 1xx but 101.
    pub const fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }
}

/// Reads the response heads of a connection, each incrementally.
#[derive(Clone, Debug)]
pub struct ResponseParser {
    limits: Limits,
    lines: Lines,
    has_line: bool,
    asked: Asked,
    interims: u8,
}

impl ResponseParser {
    /// A parser for the answer to `asked`.
    pub fn new(limits: Limits, asked: Asked) -> Self {
        Self {
            limits,
            lines: Lines::default(),
            has_line: false,
            asked,
            interims: 0,
        }
    }

    /// Begins the answer to the connection's next request.
    pub fn expect(&mut self, asked: Asked) {
        *self = Self::new(self.limits, asked);
    }

    /// Reads the head at the beginning of `buf` into `head`. `Some(length)` when it is whole; after an
    /// interim one the next head follows there, after any other the body. `None` asks for the same
    /// bytes with more after them.
    pub fn parse(&mut self, buf: &[u8], head: &mut ResponseHead) -> Result<Option<usize>, Cause> {
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
        head.finish(buf, self.asked)?;
        self.count(head)?;
        (self.lines, self.has_line) = (Lines::default(), false);
        Ok(Some(length))
    }

    fn count(&mut self, head: &ResponseHead) -> Result<(), Cause> {
        if head.is_interim() {
            self.interims += 1;
            if self.interims > self.limits.interim_responses {
                return Err(Cause::InterimFlood);
            }
        }
        Ok(())
    }

    fn read_line(&mut self, buf: &[u8], head: &mut ResponseHead) -> Result<bool, Cause> {
        let limit = self.limits.head_bytes;
        let Some(line) = self.lines.next(buf, limit, Cause::HeadTooLarge)? else {
            return Ok(false);
        };
        head.begin(buf, line)?;
        self.has_line = true;
        Ok(true)
    }
}

/// Bytes of `HTTP/1.1 200`.
const STATUS_END: usize = 12;

impl ResponseHead {
    /// Reads `HTTP/1.1 200 reason`; the space and the reason may be left out, as many servers do.
    fn begin(&mut self, buf: &[u8], line: Span) -> Result<(), Cause> {
        let bytes = line.of(buf);
        chars::check_text(bytes)?;
        let (version, rest) = bytes.split_at_checked(8).ok_or(Cause::StatusLine)?;
        self.version = Version::parse(version)?;
        self.status = parse_status(rest)?;
        self.reason = line.from(bytes.len().min(STATUS_END + 1));
        self.line = line;
        self.fields.clear();
        Ok(())
    }

    fn finish(&mut self, buf: &[u8], asked: Asked) -> Result<(), Cause> {
        let declared = framing::declared(buf, &self.fields, self.version)?;
        self.framing = self.framing_after(declared, asked);
        let options = connection::read_options(buf, &mut self.fields)?;
        self.upgrade = connection::find_upgrade(buf, &self.fields, options, self.version);
        if self.status == 101 && !(asked.upgrade && self.upgrade.is_some()) {
            return Err(Cause::UpgradeUnasked);
        }
        let persists = match self.version {
            Version::Http11 => !options.close,
            Version::Http10 => options.keep_alive && !options.close,
        };
        self.keep_alive = persists && !matches!(self.framing, Framing::Close | Framing::Tunnel);
        Ok(())
    }

    /// RFC 9112 6.3, in its order.
    fn framing_after(&self, declared: Framing, asked: Asked) -> Framing {
        match (self.status, asked.method) {
            (101, _) => Framing::Tunnel,
            (200..=299, Method::Connect) => Framing::Tunnel,
            (100..=199 | 204 | 304, _) | (_, Method::Head) => Framing::None,
            _ if declared == Framing::None => Framing::Close,
            _ => declared,
        }
    }
}

fn parse_status(rest: &[u8]) -> Result<u16, Cause> {
    let (digits, reason) = match rest {
        [b' ', digits @ ..] if digits.len() >= 3 => digits.split_at(3),
        _ => return Err(Cause::StatusLine),
    };
    if !digits.iter().all(u8::is_ascii_digit) || !matches!(reason, [] | [b' ', ..]) {
        return Err(Cause::StatusLine);
    }
    let status = digits
        .iter()
        .fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
    if (100..600).contains(&status) {
        Ok(status)
    } else {
        Err(Cause::StatusInvalid)
    }
}
