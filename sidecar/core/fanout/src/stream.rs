//! One stream of discovery: its messages to the inbox, what is in its outbox to the client.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, header};

use crate::hub::Hub;
use crate::inbox::{StreamId, What};
use crate::message::{Malformed, Messages};
use crate::outbox::{Outbox, Task};
use crate::status::{self, Code, Status};

/// Messages of one stream in the inbox, after which it is not read until they are taken.
const MOST_UNTAKEN: u32 = 16;
const ENCODING: &str = "grpc-encoding";

/// A stream that is open.
pub(crate) struct Stream {
    hub: Rc<Hub>,
    id: StreamId,
    outbox: Rc<Outbox>,
    body: RecvStream,
    messages: Messages,
    answer: Answer,
    /// What is left of the message that is being sent.
    rest: Bytes,
    untaken: u32,
    emptied: u64,
}

/// How far the answer is.
enum Answer {
    Due(SendResponse<Bytes>),
    Begun(SendStream<Bytes>),
}

/// A stream that is over.
struct Over;

impl Stream {
    /// The stream that a call opens, unless it is refused.
    pub(crate) fn open(
        hub: &Rc<Hub>,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> Option<Self> {
        let (head, body) = request.into_parts();
        if head
            .headers
            .get(ENCODING)
            .is_some_and(|name| name != "identity")
        {
            status::refuse(&mut respond, &compressed());
            return None;
        }
        let (id, outbox) = hub.enter();
        hub.inbox
            .put(id, What::Opened(authorization(&head.headers)));
        Some(Self {
            hub: Rc::clone(hub),
            id,
            outbox,
            body,
            messages: Messages::default(),
            answer: Answer::Due(respond),
            rest: Bytes::new(),
            untaken: 0,
            emptied: 0,
        })
    }

    /// Hands on what the client says, as far as there is room.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), Over> {
        while self.fill(cx)? {
            self.outbox.watch(cx);
            if self.hub.park(&self.outbox, self.emptied) {
                break;
            }
        }
        Ok(())
    }

    /// Hands on what the client has said; whether it ends for want of room.
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<bool, Over> {
        while self.has_room() {
            if self.hand_on()? {
                continue;
            }
            match self.body.poll_data(cx) {
                Poll::Ready(Some(Ok(piece))) => self.take(&piece),
                Poll::Ready(Some(Err(_))) => return Err(Over),
                Poll::Ready(None) => {
                    self.end(&Status::new(Code::Ok, ""));
                    return Err(Over);
                }
                Poll::Pending => return Ok(false),
            }
        }
        Ok(true)
    }

    fn has_room(&mut self) -> bool {
        let emptied = self.hub.inbox.emptied();
        if emptied != self.emptied {
            (self.emptied, self.untaken) = (emptied, 0);
        }
        self.untaken < MOST_UNTAKEN
    }

    fn take(&mut self, piece: &Bytes) {
        // One that was reset in between needs no more room.
        let _ = self.body.flow_control().release_capacity(piece.len());
        self.messages.push(piece);
    }

    /// Whether there was a whole message to hand on.
    fn hand_on(&mut self) -> Result<bool, Over> {
        match self.messages.next() {
            Ok(Some(message)) => {
                self.untaken += 1;
                self.hub.inbox.put(self.id, What::Received(message));
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(malformed) => {
                self.end(&refusal(&malformed));
                Err(Over)
            }
        }
    }

    /// Does what there is to do, as far as the client reads.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Over> {
        loop {
            if !self.send(cx)? {
                // Who does not read is not told why.
                return if self.outbox.is_ending(cx) {
                    Err(Over)
                } else {
                    Ok(())
                };
            }
            match self.outbox.poll(cx) {
                Poll::Ready(Task::Accept) => self.accept()?,
                Poll::Ready(Task::Send(message)) => {
                    self.accept()?;
                    self.rest = message;
                }
                Poll::Ready(Task::End(status)) => {
                    self.end(&status);
                    return Err(Over);
                }
                Poll::Pending => return Ok(()),
            }
        }
    }

    /// Whether nothing is left of the message that is being sent.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<bool, Over> {
        let Answer::Begun(sender) = &mut self.answer else {
            return Ok(true);
        };
        while !self.rest.is_empty() {
            sender.reserve_capacity(self.rest.len());
            let capacity = sender.capacity().min(self.rest.len());
            if capacity > 0 {
                let piece = self.rest.split_to(capacity);
                sender.send_data(piece, false).map_err(|_| Over)?;
            } else {
                match sender.poll_capacity(cx) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(_) => return Err(Over),
                    Poll::Pending => return Ok(false),
                }
            }
        }
        self.rest = Bytes::new();
        Ok(true)
    }

    fn accept(&mut self) -> Result<(), Over> {
        if let Answer::Due(respond) = &mut self.answer {
            let sender = respond.send_response(status::head(), false);
            self.answer = Answer::Begun(sender.map_err(|_| Over)?);
        }
        Ok(())
    }

    fn end(&mut self, status: &Status) {
        match &mut self.answer {
            Answer::Due(respond) => status::refuse(respond, status),
            Answer::Begun(sender) => status::end(sender, status),
        }
    }

    fn is_reset(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.answer {
            Answer::Due(respond) => respond.poll_reset(cx).is_ready(),
            Answer::Begun(sender) => sender.poll_reset(cx).is_ready(),
        }
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Result<(), Over> {
        self.read(cx)?;
        self.write(cx)?;
        if self.is_reset(cx) { Err(Over) } else { Ok(()) }
    }
}

impl Future for Stream {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.get_mut().step(cx) {
            Ok(()) => Poll::Pending,
            Err(Over) => Poll::Ready(()),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.hub.leave(self.id);
        self.hub.inbox.put(self.id, What::Closed);
    }
}

fn authorization(headers: &HeaderMap) -> Bytes {
    headers
        .get(header::AUTHORIZATION)
        .map_or_else(Bytes::new, |value| Bytes::copy_from_slice(value.as_bytes()))
}

fn compressed() -> Status {
    Status::new(
        Code::Unimplemented,
        "expected messages that are not compressed",
    )
}

fn refusal(malformed: &Malformed) -> Status {
    match malformed {
        Malformed::Compressed => compressed(),
        Malformed::TooLarge(bytes) => {
            let reason = format!("expected a smaller message, found one of {bytes} bytes");
            Status::new(Code::ResourceExhausted, reason)
        }
    }
}
