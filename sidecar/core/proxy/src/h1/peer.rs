//! A connection to an upstream while it carries an exchange.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http1::{Asked, BodyDecoder, Cause, ResponseHead, ResponseParser, Step};
use tokio::net::TcpStream;

use super::{HEAD_READ_BYTES, limits};
use crate::upstream::{Pools, Retirement};
use crate::wire::{Memory, Wire};

/// A connection to an upstream.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) wire: Wire,
    parser: ResponseParser,
    /// Where it rests afterwards, and under what rules.
    home: Rc<Pools>,
    retirement: Retirement,
    born_ns: u64,
    served: u32,
    /// Whether it had rested in the pool before.
    pub(super) is_reused: bool,
    /// Whether a byte of the answer was read.
    pub(super) has_spoken: bool,
}

/// Why no response head came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoHead {
    /// The connection ended or broke.
    Gone,
    /// The upstream broke the protocol.
    Malformed(Cause),
}

impl Peer {
    /// A connection just made.
    pub(super) fn new(
        stream: TcpStream,
        home: &Rc<Pools>,
        retirement: Retirement,
        now_ns: u64,
    ) -> Self {
        Self {
            wire: Wire::new(stream),
            parser: ResponseParser::new(limits(), Asked::default()),
            home: Rc::clone(home),
            retirement,
            born_ns: now_ns,
            served: 1,
            is_reused: false,
            has_spoken: false,
        }
    }

    /// Begins to carry another exchange.
    pub(super) const fn wake(&mut self, retirement: Retirement) {
        self.retirement = retirement;
        self.served += 1;
        (self.is_reused, self.has_spoken) = (true, false);
    }

    /// Whether it is not to carry another exchange.
    pub(super) const fn is_due(&self, retirement: &Retirement, now_ns: u64) -> bool {
        retirement.is_due(self.born_ns, self.served, now_ns)
    }

    /// Whether nothing came while it rested: an end, an error or bytes that nobody asked for all make it unfit.
    /// Costs no system call unless something came.
    pub(super) fn is_quiet(&self) -> bool {
        let read = self.wire.stream.try_read(&mut [0]);
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Begins to expect the answer to `asked`.
    pub(super) fn expect(&mut self, asked: Asked) {
        self.parser.expect(asked);
    }

    /// Reads the next response head into `head`; how long it is at the beginning of the input.
    pub(super) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        memory: &Memory,
        head: &mut ResponseHead,
    ) -> Poll<Result<usize, NoHead>> {
        loop {
            match self.parser.parse(&self.wire.input, head) {
                Ok(Some(len)) => return Poll::Ready(Ok(len)),
                Ok(None) => {}
                Err(cause) => return Poll::Ready(Err(NoHead::Malformed(cause))),
            }
            match ready!(self.wire.poll_fill(cx, memory, HEAD_READ_BYTES)) {
                Ok(0) if self.has_spoken => {
                    return Poll::Ready(Err(NoHead::Malformed(Cause::Truncated)));
                }
                Ok(0) | Err(_) => return Poll::Ready(Err(NoHead::Gone)),
                Ok(_) => self.has_spoken = true,
            }
        }
    }

    /// Has the connection rest for the next exchange.
    pub(super) fn rest(mut self: Box<Self>, memory: &Memory, now_ns: u64) {
        self.wire.rest(memory);
        let (home, retirement) = (Rc::clone(&self.home), self.retirement);
        home.h1.put(self, &retirement, now_ns);
    }

    /// Gives up an answer whose head takes `head_len` bytes: the connection rests if all of the answer is here.
    pub(super) fn forget(
        mut self: Box<Self>,
        head: &ResponseHead,
        head_len: usize,
        memory: &Memory,
        now_ns: u64,
    ) {
        if head.keep_alive && is_whole(head, &self.wire.input, head_len) {
            self.wire.input.clear();
            self.rest(memory, now_ns);
        }
    }
}

/// Whether `input` is one answer, all of it and nothing more.
fn is_whole(head: &ResponseHead, input: &[u8], head_len: usize) -> bool {
    let mut body = BodyDecoder::new(head.framing, input, &head.fields, &limits());
    let mut at = head_len;
    while let Some(rest) = input.get(at..) {
        match body.decode(rest) {
            Ok(Step::Data(range)) => at += range.end,
            Ok(Step::Done(used)) => return at + used == input.len(),
            Ok(Step::NeedMore) | Err(_) => return false,
        }
    }
    false
}
