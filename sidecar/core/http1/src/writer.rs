//! Heads out: runs of the bytes that came, without what is dropped, with what is added.

use std::io::IoSlice;

use crate::fields::Mask;
use crate::framing::{Framing, Version};
use crate::request::RequestHead;
use crate::request_line::{Method, TargetForm};
use crate::response::ResponseHead;
use crate::{Fields, Known, Span, chars};

#[derive(Clone, Copy, Debug)]
enum Piece {
    /// Bytes of the buffer that was parsed.
    Came(Span),
    /// Bytes of `own`.
    Own(Span),
}

/// Puts together the head to send: begin, remove and add, finish, then send [`pieces`](Self::pieces).
///
/// Reused from message to message; after the first ones it allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct HeadWriter {
    dropped: Mask,
    own: Vec<u8>,
    pieces: Vec<Piece>,
}

impl HeadWriter {
    /// Begins a head made from `fields`: all of them but the hop-by-hop ones.
    pub fn begin(&mut self, fields: &Fields) {
        self.dropped = fields.hop;
        self.own.clear();
        self.pieces.clear();
    }

    /// Leaves out every field named `known`.
    pub fn remove(&mut self, fields: &Fields, known: Known) {
        self.dropped |= fields.mask_of(known);
    }

    /// Leaves out every field named `name` in any case, added ones too: a search, for names that only
    /// configuration knows.
    pub fn remove_named(&mut self, buf: &[u8], fields: &Fields, name: &[u8]) {
        self.dropped |= fields.mask_where(|field| field.name.of(buf).eq_ignore_ascii_case(name));
        let mut lines = self.own.split_inclusive(|&byte| byte == b'\n');
        if lines.any(|line| is_of(line, name)) {
            let lines = self.own.split_inclusive(|&byte| byte == b'\n');
            self.own = lines
                .filter(|line| !is_of(line, name))
                .collect::<Vec<_>>()
                .concat();
        }
    }

    /// Leaves out every `breakwater-*` field.
    pub const fn remove_internal(&mut self, fields: &Fields) {
        self.dropped |= fields.internal;
    }

    /// Adds a field after those that came. Control bytes become spaces, so no value ends its line.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        self.own.extend_from_slice(name.as_bytes());
        self.own.extend_from_slice(b": ");
        self.push_text(value);
        self.own.extend_from_slice(b"\r\n");
    }

    /// Adds a field whose value is a number.
    pub fn add_number(&mut self, name: &str, value: u64) {
        let mut digits = [0; 20];
        self.add(name, decimal(value, &mut digits));
    }

    /// Puts `value` in the place of every field named `known`.
    pub fn set(&mut self, fields: &Fields, known: Known, value: &[u8]) {
        self.remove(fields, known);
        self.add(known.as_str(), value);
    }

    /// Ends a request whose body goes on in `framing`. An absolute target becomes its origin form.
    pub fn finish_request(&mut self, buf: &[u8], head: &RequestHead, framing: Framing) {
        self.frame(&head.fields, head.framing, framing);
        if !head.expect_continue {
            self.remove(&head.fields, Known::Expect);
        }
        match (head.upgrade, head.takes_trailers) {
            (Some(protocols), _) => {
                self.add("connection", b"upgrade");
                self.add("upgrade", protocols.of(buf));
            }
            (None, true) => {
                self.add("connection", b"te");
                self.add("te", b"trailers");
            }
            (None, false) => {}
        }
        let added = self.own.len();
        self.push_request_line(buf, head);
        self.push_fields(&head.fields, added);
    }

    /// Ends a response whose body goes on in `framing`; `close` if the connection ends with it.
    pub fn finish_response(
        &mut self,
        buf: &[u8],
        head: &ResponseHead,
        framing: Framing,
        close: bool,
    ) {
        if matches!(head.status, 100..=199 | 204) || framing == Framing::Tunnel {
            self.remove(&head.fields, Known::ContentLength);
        } else if framing != Framing::None {
            self.frame(&head.fields, head.framing, framing);
        }
        if let Some(protocols) = head.upgrade.filter(|_| head.status == 101) {
            self.add("connection", b"upgrade");
            self.add("upgrade", protocols.of(buf));
        } else if close || framing == Framing::Close {
            self.add("connection", b"close");
        }
        let added = self.own.len();
        self.push_status_line(head);
        self.push_fields(&head.fields, added);
    }

    /// The head's bytes in order, as few runs as can be; `buf` is the buffer that was parsed.
    pub fn pieces<'out>(&'out self, buf: &'out [u8]) -> impl Iterator<Item = &'out [u8]> {
        self.pieces.iter().map(move |piece| match piece {
            Piece::Came(span) => span.of(buf),
            Piece::Own(span) => span.of(&self.own),
        })
    }

    /// The same as slices for one vectored write.
    pub fn io_slices<'out>(&'out self, buf: &'out [u8]) -> impl Iterator<Item = IoSlice<'out>> {
        self.pieces(buf).map(IoSlice::new)
    }

    /// Appends the head to `out`, to be kept for another attempt or sent together with a small body.
    pub fn copy_to(&self, buf: &[u8], out: &mut Vec<u8>) {
        out.reserve(self.len());
        self.pieces(buf)
            .for_each(|piece| out.extend_from_slice(piece));
    }

    /// Bytes of the finished head.
    pub fn len(&self) -> usize {
        self.pieces
            .iter()
            .map(|(Piece::Came(span) | Piece::Own(span))| span.len())
            .sum()
    }

    /// Whether nothing was finished yet.
    pub const fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Replaces the lines that say where the body ends, unless what came says it already.
    fn frame(&mut self, fields: &Fields, came: Framing, framing: Framing) {
        if framing == Framing::Chunked {
            self.add("transfer-encoding", b"chunked");
        }
        if came == framing {
            return;
        }
        self.remove(fields, Known::ContentLength);
        if let Framing::Length(length) = framing {
            self.add_number("content-length", length);
        }
    }

    fn push_request_line(&mut self, buf: &[u8], head: &RequestHead) {
        if head.version == Version::Http11 && head.form != TargetForm::Absolute {
            let start = head.method_name.start as usize;
            return self.push_came(Span::new(start, head.fields.line_start(0)));
        }
        self.push_came(head.method_name);
        match head.form {
            TargetForm::Absolute => {
                self.push_own(lead(head.method, head.path_and_query.of(buf)));
                self.push_came(head.path_and_query);
            }
            _ => {
                self.push_own(b" ");
                self.push_came(head.target);
            }
        }
        self.push_own(b" HTTP/1.1\r\n");
    }

    fn push_status_line(&mut self, head: &ResponseHead) {
        let end = head.fields.line_start(0);
        if head.version == Version::Http11 {
            return self.push_came(Span::new(head.line.start as usize, end));
        }
        self.push_own(b"HTTP/1.1");
        self.push_came(Span::new(head.line.start as usize + 8, end));
    }

    /// The kept fields, run by run, then the `added` first bytes of `own` and the empty line.
    fn push_fields(&mut self, fields: &Fields, added: usize) {
        let all = Mask::MAX
            .checked_shr(Mask::BITS - fields.len() as u32)
            .unwrap_or(0);
        let mut kept = all & !self.dropped;
        while kept != 0 {
            let from = kept.trailing_zeros();
            let run = (!(kept >> from)).trailing_zeros();
            let to = from + run;
            let span = Span::new(
                fields.line_start(from as usize),
                fields.line_start(to as usize),
            );
            self.push_came(span);
            kept &= Mask::MAX.checked_shl(to).unwrap_or(0);
        }
        if added > 0 {
            self.pieces.push(Piece::Own(Span::new(0, added)));
        }
        self.push_came(Span::new(fields.end, fields.end + 2));
    }

    /// Adds bytes that came, joined to the last piece if they follow it.
    fn push_came(&mut self, span: Span) {
        match self.pieces.last_mut() {
            Some(Piece::Came(last)) if last.end == span.start => last.end = span.end,
            _ => self.pieces.push(Piece::Came(span)),
        }
    }

    fn push_own(&mut self, bytes: &[u8]) {
        let start = self.own.len();
        self.own.extend_from_slice(bytes);
        self.pieces
            .push(Piece::Own(Span::new(start, self.own.len())));
    }

    fn push_text(&mut self, value: &[u8]) {
        let start = self.own.len();
        self.own.extend_from_slice(value);
        if !chars::is_text(value) {
            for byte in &mut self.own[start..] {
                if !chars::is_text_byte(*byte) {
                    *byte = b' ';
                }
            }
        }
    }
}

/// Whether a line is that of a field named `name`.
fn is_of(line: &[u8], name: &[u8]) -> bool {
    let (start, rest) = line.split_at(name.len().min(line.len()));
    start.eq_ignore_ascii_case(name) && rest.first() == Some(&b':')
}

/// What stands before what an absolute form has after its authority, which may have no path (RFC 9112 3.2).
const fn lead(method: Method, path_and_query: &[u8]) -> &'static [u8] {
    match (path_and_query.first(), method) {
        (Some(b'/'), _) => b" ",
        (None, Method::Options) => b" *",
        _ => b" /",
    }
}

/// The decimal digits of `value`, at the end of `digits`.
fn decimal(value: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut rest = value;
    let mut start = digits.len();
    while start == digits.len() || rest > 0 {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    &digits[start..]
}
