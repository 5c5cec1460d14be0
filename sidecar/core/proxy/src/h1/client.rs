//! A client's connection: its requests, one after the other, and how it ends.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http1::{Cause, RequestParser};
use tokio::io::AsyncWrite;

use super::forward::Forward;
use super::kit::Kit;
use super::{AHEAD_BYTES, HEAD_NS, HEAD_READ_BYTES, PAUSE_NS, REST_NS, STALL_NS, answer, limits};
use crate::alarm::Alarm;
use crate::connections::Place;
use crate::hangup::Hangup;
use crate::request::Sender;
use crate::stages::rescue::{Answer, Taste};
use crate::wire::Wire;
use crate::worker::{Entry, Worker};

/// Time and bytes that a closing connection may still bring, so that the answer is not lost to a reset.
const LINGER_NS: u64 = 1_000_000_000;
const LINGER_BYTES: usize = 256 * 1024;

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(super) worker: Rc<Worker>,
    pub(super) wire: Wire,
    pub(super) alarm: Alarm,
    pub(super) entry: Rc<Entry>,
    pub(super) sender: Sender,
    /// When the last exchange ended, or the connection began.
    pub(super) now_ns: u64,
    parser: RequestParser,
    /// What tells that the client has left while nothing more of it is read.
    hangup: Option<Hangup>,
    pub(super) place: Place,
}

/// What comes after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The connection's next request.
    Request,
    /// The end, after everything was sent.
    Close,
    /// The end, while the client may still send.
    Linger,
    /// The end at once, so that nobody takes what was sent for a whole.
    Reset,
}

/// Why work beside a client was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    ClientLeft,
    OutOfTime,
}

/// Why no request came.
enum NoRequest {
    /// The client closed, or the sidecar leaves.
    Over,
    /// It did not come in time, or not all of it.
    Late,
    Malformed(Cause),
}

impl Client {
    pub(crate) fn new(
        worker: Rc<Worker>,
        wire: Wire,
        entry: Rc<Entry>,
        sender: Sender,
        place: Place,
    ) -> Self {
        Self {
            now_ns: worker.clock.now_ns(),
            worker,
            wire,
            alarm: Alarm::default(),
            entry,
            sender,
            parser: RequestParser::new(limits()),
            hangup: None,
            place,
        }
    }

    /// Serves requests until the connection ends; while it rests for longer than a pause, it owns next to no memory.
    pub(crate) async fn serve(&mut self) {
        loop {
            let next = match self.rest(REST_NS).await {
                Ok(()) => Box::pin(self.serve_while_busy()).await,
                Err(_) => Next::Close,
            };
            match next {
                Next::Request => {}
                Next::Close => return,
                Next::Linger => return Box::pin(self.linger()).await,
                Next::Reset => return self.wire.reset_on_close(),
            }
        }
    }

    /// Serves requests as long as each follows the one before within a pause, all in the same memory.
    async fn serve_while_busy(&mut self) -> Next {
        loop {
            let next = self.serve_one().await;
            if next != Next::Request {
                return next;
            }
            self.wire.rest(&self.worker.memory);
            match self.rest(PAUSE_NS).await {
                Ok(()) => {}
                Err(NoRequest::Late) => return Next::Request,
                Err(_) => return Next::Close,
            }
        }
    }

    /// Waits for the first bytes of the next request, so long after the last one.
    async fn rest(&mut self, within_ns: u64) -> Result<(), NoRequest> {
        if !self.wire.input.is_empty() {
            return Ok(());
        }
        let until_ns = self.now_ns.saturating_add(within_ns);
        std::future::poll_fn(|cx| self.poll_rest(cx, until_ns)).await
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>, until_ns: u64) -> Poll<Result<(), NoRequest>> {
        let worker = &self.worker;
        if self.place.is_closed() {
            return Poll::Ready(Err(NoRequest::Over));
        }
        match self.wire.poll_fill(cx, &worker.memory, HEAD_READ_BYTES) {
            Poll::Ready(Ok(1..)) => return Poll::Ready(Ok(())),
            Poll::Ready(_) => return Poll::Ready(Err(NoRequest::Over)),
            Poll::Pending => self.place.watch(cx.waker()),
        }
        let over = self.alarm.poll(cx, &worker.clock, Some(until_ns));
        over.map(|()| Err(NoRequest::Late))
    }

    /// Reads one request and serves it.
    async fn serve_one(&mut self) -> Next {
        let mut kit = self.worker.kits.take();
        let next = match self.read_head(&mut kit).await {
            Ok(()) => {
                let mut exchange = Forward::begin(self, &kit);
                Forward::new(self, &mut kit, &mut exchange).run().await
            }
            Err(NoRequest::Over) => Next::Close,
            Err(NoRequest::Late) => self.refuse(Cause::Truncated, 408).await,
            Err(NoRequest::Malformed(cause)) => self.refuse(cause, cause.status()).await,
        };
        self.hangup = None;
        self.worker.kits.give(kit);
        next
    }

    /// Reads the request's head; its bytes go into `kit`, what follows them stays as input.
    async fn read_head(&mut self, kit: &mut Kit) -> Result<(), NoRequest> {
        let mut began_ns = None;
        let len = std::future::poll_fn(|cx| self.poll_head(cx, kit, &mut began_ns)).await?;
        std::mem::swap(&mut self.wire.input, &mut kit.bytes);
        self.wire.input.clear();
        self.wire.input.extend_from_slice(&kit.bytes[len..]);
        kit.bytes.truncate(len);
        Ok(())
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        kit: &mut Kit,
        began_ns: &mut Option<u64>,
    ) -> Poll<Result<usize, NoRequest>> {
        loop {
            match self.parser.parse(&self.wire.input, &mut kit.request) {
                Ok(Some(len)) => return Poll::Ready(Ok(len)),
                Ok(None) => {}
                Err(cause) => return Poll::Ready(Err(NoRequest::Malformed(cause))),
            }
            match self
                .wire
                .poll_fill(cx, &self.worker.memory, HEAD_READ_BYTES)
            {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(Err(NoRequest::Over)),
                Poll::Pending => {
                    let clock = &self.worker.clock;
                    let began_ns = began_ns.get_or_insert_with(|| clock.now_ns());
                    let until_ns = began_ns.saturating_add(HEAD_NS);
                    ready!(self.alarm.poll(cx, &self.worker.clock, Some(until_ns)));
                    return Poll::Ready(Err(NoRequest::Late));
                }
            }
        }
    }

    /// Does `work` until it is done, the client leaves, or `until_ns` is over.
    pub(super) async fn beside<T>(
        &mut self,
        until_ns: Option<u64>,
        mut work: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Interrupt> {
        let done = std::future::poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            if self.alarm.poll(cx, &self.worker.clock, until_ns).is_ready() {
                return Poll::Ready(Err(Interrupt::OutOfTime));
            }
            self.poll_left(cx).map(|()| Err(Interrupt::ClientLeft))
        })
        .await;
        self.hangup = None;
        done
    }

    /// Ready when the client has left. What it sends ahead is kept, up to a bound.
    pub(super) fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(room @ 1..) = AHEAD_BYTES.checked_sub(self.wire.input.len()) {
            match ready!(self.wire.poll_fill(cx, &self.worker.memory, room)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
        if self.hangup.is_none() {
            // Without a descriptor to spare, it is noticed when there is room to read again.
            self.hangup = Hangup::of(&self.wire.stream).ok();
        }
        match &self.hangup {
            Some(hangup) => hangup.poll(cx),
            None => Poll::Pending,
        }
    }

    /// Answers what is no request.
    async fn refuse(&mut self, cause: Cause, status: u16) -> Next {
        let direction = self.entry.direction();
        let worker = &self.worker;
        let answer = worker.refuse_malformed(direction, (cause, status), Taste::Problem);
        self.send(&answer, true, false).await
    }

    /// Sends an answer of the sidecar's own, the last one of the connection if `close`.
    pub(super) async fn send(&mut self, answer: &Answer, close: bool, is_head: bool) -> Next {
        answer::write(answer, close, is_head, &mut self.wire.output);
        match self.flush().await {
            Err(_) => Next::Reset,
            Ok(()) if close => Next::Linger,
            Ok(()) => Next::Request,
        }
    }

    /// Waits until all that was written is sent.
    pub(super) async fn flush(&mut self) -> Result<(), Interrupt> {
        if self.wire.write(&[]).is_err() {
            return Err(Interrupt::ClientLeft);
        }
        let until_ns = self.worker.clock.now_ns().saturating_add(STALL_NS);
        std::future::poll_fn(|cx| match self.wire.poll_flush(cx) {
            Poll::Ready(sent) => Poll::Ready(sent.map_err(|_| Interrupt::ClientLeft)),
            Poll::Pending => {
                let late = self.alarm.poll(cx, &self.worker.clock, Some(until_ns));
                late.map(|()| Err(Interrupt::OutOfTime))
            }
        })
        .await
    }

    /// Ends the sending side, and takes in for a while what the client still sends.
    async fn linger(&mut self) {
        let until_ns = self.worker.clock.now_ns().saturating_add(LINGER_NS);
        let mut left = LINGER_BYTES;
        std::future::poll_fn(|cx| {
            if ready!(Pin::new(&mut self.wire.stream).poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            loop {
                self.wire.input.clear();
                match self
                    .wire
                    .poll_fill(cx, &self.worker.memory, HEAD_READ_BYTES)
                {
                    Poll::Ready(Ok(read @ 1..)) if read < left => left -= read,
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => break,
                }
            }
            self.alarm.poll(cx, &self.worker.clock, Some(until_ns))
        })
        .await;
    }
}
