//! A socket with what was read and not used yet, and what was written and not sent yet. Both are empty, and own no
//! memory, while the connection rests.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes read at once from a body.
const SCRATCH_BYTES: usize = 64 * 1024;
/// What a new buffer holds before it grows: most heads, and the first of a body.
const FRESH_BYTES: usize = 2 * 1024;
/// Buffers kept for the next messages by what they hold together, and the largest kept.
const KEPT_BYTES: usize = 1024 * 1024;
const LARGEST_KEPT: usize = 16 * 1024;

/// Memory that connections share: they hold some only while a message is incomplete.
#[derive(Debug)]
pub(crate) struct Memory {
    /// What is read lands here first; never held across a wait.
    scratch: RefCell<Box<[u8]>>,
    buffers: RefCell<Vec<Vec<u8>>>,
    /// What `buffers` can hold together.
    kept_bytes: Cell<usize>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
            buffers: RefCell::default(),
            kept_bytes: Cell::new(0),
        }
    }

    /// An empty buffer.
    pub(crate) fn take(&self) -> Vec<u8> {
        let Some(buffer) = self.buffers.borrow_mut().pop() else {
            return Vec::with_capacity(FRESH_BYTES);
        };
        self.kept_bytes
            .set(self.kept_bytes.get() - buffer.capacity());
        buffer
    }

    /// Takes a buffer back.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        let kept_bytes = self.kept_bytes.get() + buffer.capacity();
        let is_fit = (1..=LARGEST_KEPT).contains(&buffer.capacity());
        if is_fit && kept_bytes <= KEPT_BYTES {
            buffer.clear();
            self.buffers.borrow_mut().push(buffer);
            self.kept_bytes.set(kept_bytes);
        }
    }
}

/// One side of an exchange.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    /// Read and not used yet.
    pub(crate) input: Vec<u8>,
    /// Written and not sent yet, from `sent` on.
    pub(crate) output: Vec<u8>,
    sent: usize,
}

impl Wire {
    pub(crate) const fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
        }
    }

    /// Reads once, at most `most` bytes, and keeps them as input; zero at the end.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        memory: &Memory,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let mut scratch = memory.scratch.borrow_mut();
        let most = most.min(scratch.len());
        let mut read = ReadBuf::new(&mut scratch[..most]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        if self.input.capacity() == 0 && !read.filled().is_empty() {
            self.input = memory.take();
        }
        self.input.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Takes the input, or reads once; hands the bytes to `used`, none of them at the end. What `used` leaves of them
    /// stays as input.
    pub(crate) fn poll_input<T>(
        &mut self,
        cx: &mut Context<'_>,
        memory: &Memory,
        used: impl FnOnce(&[u8]) -> (usize, T),
    ) -> Poll<io::Result<T>> {
        self.poll_some(cx, memory, usize::MAX, used)
    }

    /// The same with at most `most` bytes, at least one.
    pub(crate) fn poll_some<T>(
        &mut self,
        cx: &mut Context<'_>,
        memory: &Memory,
        most: usize,
        used: impl FnOnce(&[u8]) -> (usize, T),
    ) -> Poll<io::Result<T>> {
        if !self.input.is_empty() {
            let (len, result) = used(&self.input[..most.min(self.input.len())]);
            self.consume(len);
            return Poll::Ready(Ok(result));
        }
        let mut scratch = memory.scratch.borrow_mut();
        let most = most.min(scratch.len());
        let mut read = ReadBuf::new(&mut scratch[..most]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        let (len, result) = used(read.filled());
        if len < read.filled().len() {
            if self.input.capacity() == 0 {
                self.input = memory.take();
            }
            self.input.extend_from_slice(&read.filled()[len..]);
        }
        Poll::Ready(Ok(result))
    }

    /// Whether bytes were read and not used yet.
    pub(crate) const fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Has memory at hand for what is to be written.
    pub(crate) fn reserve_output(&mut self, memory: &Memory) {
        if self.output.capacity() == 0 {
            self.output = memory.take();
        }
    }

    /// Drops the first `len` bytes of input.
    pub(crate) fn consume(&mut self, len: usize) {
        if len >= self.input.len() {
            self.input.clear();
        } else {
            self.input.drain(..len);
        }
    }

    /// Sends what waits and then `data`, as far as the socket takes it now; the rest waits.
    pub(crate) fn write(&mut self, mut data: &[u8]) -> io::Result<()> {
        if !self.output.is_empty() && self.has_room_for(data) {
            self.output.extend_from_slice(data);
            data = &[];
        }
        let waiting = &self.output[self.sent..];
        let written = match (waiting, data) {
            ([], []) => return Ok(()),
            (waiting, []) => self.stream.try_write(waiting),
            ([], data) => self.stream.try_write(data),
            (waiting, data) => self
                .stream
                .try_write_vectored(&[IoSlice::new(waiting), IoSlice::new(data)]),
        };
        let written = match written {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let waiting = waiting.len();
        self.advance(written.min(waiting));
        self.output
            .extend_from_slice(&data[written.saturating_sub(waiting)..]);
        Ok(())
    }

    /// Whether `data` fits beside what waits. Sent in two pieces, it would cost the system more than a copy does.
    const fn has_room_for(&self, data: &[u8]) -> bool {
        data.len() <= self.output.capacity() - self.output.len()
    }

    fn advance(&mut self, written: usize) {
        self.sent += written;
        if self.sent == self.output.len() {
            self.output.clear();
            self.sent = 0;
        }
    }

    /// Ready when nothing waits to be sent.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.output.len() {
            let waiting = &self.output[self.sent..];
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, waiting))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Gives the memory back that nothing is in.
    pub(crate) fn rest(&mut self, memory: &Memory) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() {
                memory.give(std::mem::take(buffer));
            }
        }
    }

    /// Has closing reset the connection, so that what was sent cannot be taken for a whole.
    pub(crate) fn reset_on_close(&self) {
        // Where the system refuses, the missing end of the message still tells.
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO));
    }
}
