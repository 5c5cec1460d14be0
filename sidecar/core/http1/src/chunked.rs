//! Chunks in (RFC 9112 7.1): sizes, extensions and line ends read to the letter, trailers filtered.
//!
//! ```text
//! Size ──hex──> Size          Size ──';'──> Extension ──CR──> SizeEnd
//! Size ──CR──> SizeEnd ──LF──> Data (or Trailers after size 0)
//! Data ──all bytes──> DataCr ──CR──> DataLf ──LF──> Size
//! Trailers ──empty line──> Done
//! ```

use crate::step::Step;
use crate::trailers::Trailers;
use crate::{Cause, Fields, Limits, chars};

/// Sizes stay below 2^60, so that adding a digit never overflows.
const SIZE_LIMIT: u64 = 1 << 60;
const SIZE_DIGITS: u8 = 16;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Size { size: u64, digits: u8 },
    Extension { size: u64 },
    SizeEnd { size: u64 },
    Data { remaining: u64 },
    DataCr,
    DataLf,
    Trailers,
    Done,
}

const SIZE: State = State::Size { size: 0, digits: 0 };

/// The reader of one chunked body.
#[derive(Debug)]
pub(crate) struct Chunked {
    state: State,
    extension_bytes_left: usize,
    trailers: Trailers,
}

impl Chunked {
    pub(crate) fn new(buf: &[u8], fields: &Fields, limits: &Limits) -> Self {
        Self {
            state: SIZE,
            extension_bytes_left: limits.extension_bytes,
            trailers: Trailers::new(buf, fields, limits.trailer_bytes),
        }
    }

    pub(crate) const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(crate) fn trailers(&self) -> &[u8] {
        self.trailers.kept()
    }

    /// Reads framing up to the next run of data, the end, or the end of `input`.
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<Step, Cause> {
        let mut at = 0;
        loop {
            match self.state {
                State::Done => return Ok(Step::Done(at)),
                State::Trailers => match self.trailers.read(&input[at..])? {
                    Some(used) => {
                        at += used;
                        self.state = State::Done;
                    }
                    None => return Ok(Step::NeedMore),
                },
                State::Data { remaining } if at < input.len() => {
                    return Ok(self.take_data(remaining, at, input.len()));
                }
                state => {
                    let Some(&byte) = input.get(at) else {
                        return Ok(Step::NeedMore);
                    };
                    self.state = self.after(state, byte)?;
                    at += 1;
                }
            }
        }
    }

    fn take_data(&mut self, remaining: u64, from: usize, to: usize) -> Step {
        let len = remaining.min((to - from) as u64);
        self.state = match remaining - len {
            0 => State::DataCr,
            remaining => State::Data { remaining },
        };
        Step::Data(from..from + len as usize)
    }

    /// The transition that one byte of framing makes.
    fn after(&mut self, state: State, byte: u8) -> Result<State, Cause> {
        match (state, byte) {
            (State::Size { digits: 1.., size }, b'\r') => Ok(State::SizeEnd { size }),
            (State::Size { digits: 1.., size }, b';') => self.extend(size),
            (State::Size { size, digits }, _) => add_digit(size, digits, byte),
            (State::Extension { size }, b'\r') => Ok(State::SizeEnd { size }),
            (State::Extension { .. }, b'\n') => Err(Cause::BareLf),
            (State::Extension { size }, _) if chars::is_text_byte(byte) => self.extend(size),
            (State::Extension { .. }, _) => Err(Cause::ControlByte),
            (State::SizeEnd { size: 0 }, b'\n') => Ok(State::Trailers),
            (State::SizeEnd { size }, b'\n') => Ok(State::Data { remaining: size }),
            (State::SizeEnd { .. }, _) => Err(Cause::BareCr),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(SIZE),
            (State::DataCr | State::DataLf, _) => Err(Cause::ChunkData),
            (State::Data { .. } | State::Trailers | State::Done, _) => Ok(state),
        }
    }

    /// One more byte of extension, read and dropped.
    fn extend(&mut self, size: u64) -> Result<State, Cause> {
        self.extension_bytes_left = self
            .extension_bytes_left
            .checked_sub(1)
            .ok_or(Cause::ChunkExtension)?;
        Ok(State::Extension { size })
    }
}

fn add_digit(size: u64, digits: u8, byte: u8) -> Result<State, Cause> {
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        b'\n' => return Err(Cause::BareLf),
        _ => return Err(Cause::ChunkSize),
    };
    let size = (size << 4) | u64::from(digit);
    if size >= SIZE_LIMIT || digits >= SIZE_DIGITS {
        return Err(Cause::ChunkOverflow);
    }
    Ok(State::Size {
        size,
        digits: digits + 1,
    })
}
