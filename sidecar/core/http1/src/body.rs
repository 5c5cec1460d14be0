//! Bodies in: what of the bytes read is body, and where it ends.

use crate::chunked::Chunked;
use crate::framing::Framing;
use crate::step::Step;
use crate::{Cause, Fields, Limits};

/// Reads one body from the bytes after its head.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
}

#[derive(Debug)]
enum State {
    Length(u64),
    Chunked(Box<Chunked>),
    Close,
}

impl BodyDecoder {
    /// A decoder for the message whose head, in `buf`, has these `fields` and `framing`.
    pub fn new(framing: Framing, buf: &[u8], fields: &Fields, limits: &Limits) -> Self {
        let state = match framing {
            Framing::None => State::Length(0),
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(Box::new(Chunked::new(buf, fields, limits))),
            Framing::Close | Framing::Tunnel => State::Close,
        };
        Self { state }
    }

    /// Takes one step through `input`, the bytes after all that earlier steps used.
    pub fn decode(&mut self, input: &[u8]) -> Result<Step, Cause> {
        match &mut self.state {
            State::Length(0) => Ok(Step::Done(0)),
            _ if input.is_empty() => Ok(Step::NeedMore),
            State::Length(remaining) => {
                let len = (*remaining).min(input.len() as u64);
                *remaining -= len;
                Ok(Step::Data(0..len as usize))
            }
            State::Close => Ok(Step::Data(0..input.len())),
            State::Chunked(chunked) => chunked.decode(input),
        }
    }

    /// Whether the body has ended. After [`Step::Data`] of the last byte of a known length it has,
    /// and the message can be ended without waiting for another read.
    pub const fn is_done(&self) -> bool {
        match &self.state {
            State::Length(remaining) => *remaining == 0,
            State::Chunked(chunked) => chunked.is_done(),
            State::Close => false,
        }
    }

    /// The peer closed: an end for a body that only closing ends, a cut for any other.
    pub const fn close(&self) -> Result<(), Cause> {
        if matches!(self.state, State::Close) || self.is_done() {
            Ok(())
        } else {
            Err(Cause::Truncated)
        }
    }

    /// The trailer lines that may be passed on, each with its CRLF; all of them once the body has ended.
    pub fn trailers(&self) -> &[u8] {
        match &self.state {
            State::Chunked(chunked) => chunked.trailers(),
            _ => &[],
        }
    }
}

/// Refuses bytes after a response that no request waits for. The connection is not to be used again.
pub const fn check_surplus(rest: &[u8]) -> Result<(), Cause> {
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Cause::Surplus)
    }
}
