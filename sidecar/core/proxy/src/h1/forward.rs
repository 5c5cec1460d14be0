//! One exchange over HTTP/1.1: what the stages decide, done with bytes.

mod ask;
mod deliver;
mod hedge;
mod mirror;
mod refuse;
mod through;

use std::pin::pin;
use std::rc::Rc;

use http1::{Cause, Method};
use policy::Reason;
use policy::ending::Ending;

use super::STALL_NS;
use super::client::{Client, Interrupt, Next};
use super::kit::Kit;
use super::peer::Peer;
use super::upload::Upload;
use super::view::{RequestView, ResponseView};
use crate::exchange::{Course, Destination, Exchange};
use crate::request::Sender;
use crate::stages::Refusal;
use crate::upstream::NoConnection;
use crate::worker::Entry;

/// One exchange.
pub(super) struct Forward<'a> {
    client: &'a mut Client,
    kit: &'a mut Kit,
    exchange: &'a mut Exchange,
    upload: Upload,
    /// When the client last sent some of its body, and how much it had sent by then.
    progress: (u64, u64),
}

/// Why an attempt brought no answer.
pub(super) enum Unanswered {
    Failed(Ending, Reason),
    Expired,
    ClientLeft,
    /// The client's body broke the protocol.
    Malformed(Cause),
    /// The cluster's connections are all in use.
    NoPlace,
}

impl<'a> Forward<'a> {
    /// The exchange that begins with the request whose head is in `kit`. It is large: it lies where it is served.
    pub(super) fn begin(client: &Client, kit: &Kit) -> Exchange {
        Exchange::begin(&client.worker, &client.entry, &view(kit, client.sender))
    }

    /// What serves it.
    pub(super) fn new(
        client: &'a mut Client,
        kit: &'a mut Kit,
        exchange: &'a mut Exchange,
    ) -> Self {
        let upload = Upload::new(&kit.request, &kit.bytes, 0, &client.worker.memory);
        let progress = (exchange.now_ns(), 0);
        Self {
            client,
            kit,
            exchange,
            upload,
            progress,
        }
    }

    /// Serves the request.
    pub(super) async fn run(&mut self) -> Next {
        self.enter(Rc::clone(&self.client.entry)).await
    }

    /// Serves the request as one that came in there.
    async fn enter(&mut self, entry: Rc<Entry>) -> Next {
        match self.admit(&entry).await {
            Ok(Ok(())) => {}
            Ok(Err(refusal)) => return self.refuse(refusal).await,
            Err(_) => return Next::Close,
        }
        self.keep_body();
        match (self.exchange.attempt(), self.kit.request.method) {
            (Err(refusal), _) => self.refuse(refusal).await,
            (Ok(to), Method::Connect) => self.connect_through(to).await,
            (Ok(to), _) => self.attempts(to).await,
        }
    }

    async fn admit(&mut self, entry: &Entry) -> Result<Result<(), Refusal>, Interrupt> {
        let request = view(self.kit, self.client.sender);
        let admitting = pin!(self.exchange.admit(entry, &request));
        self.client.beside(None, admitting).await
    }

    /// Keeps the body for another attempt, now that the policy is known.
    fn keep_body(&mut self) {
        let most = self.exchange.replay_bytes();
        if most > 0 && !self.upload.is_begun && !self.upload.is_empty() {
            let (kit, memory) = (&*self.kit, &self.client.worker.memory);
            self.upload = Upload::new(&kit.request, &kit.bytes, most, memory);
        }
        self.upload.throttle = self.exchange.upload.take();
        self.exchange.note_body_length(self.upload.length());
    }

    /// Makes attempts until an answer is to be passed on, or a refusal.
    async fn attempts(&mut self, mut to: Destination) -> Next {
        loop {
            let (course, answer) = match self.attempt(&to).await {
                Ok(tried) => tried,
                Err(Unanswered::Malformed(cause)) => return self.refuse_malformed(cause).await,
                Err(Unanswered::NoPlace) => return self.refuse_connection().await,
                Err(_) => return Next::Close,
            };
            match (course, answer) {
                (Course::Deliver, Some((peer, head_len))) => {
                    return self.deliver(peer, head_len).await;
                }
                (Course::Deliver, None) => return Next::Reset,
                (Course::Refuse(refusal), _) => return self.refuse(refusal).await,
                (Course::Retry { delay_ns }, answer) => {
                    if self.pause(delay_ns).await.is_err() {
                        return Next::Close;
                    }
                    match (self.exchange.retry(), answer) {
                        (Ok(next), answer) => {
                            self.forget(answer);
                            to = next;
                        }
                        (Err(_), Some((peer, head_len))) => {
                            return self.deliver(peer, head_len).await;
                        }
                        (Err(refusal), None) => return self.refuse(refusal).await,
                    }
                }
            }
        }
    }

    /// Makes one attempt: what next, and its answer if there is one. Fails when the client is at fault.
    async fn attempt(
        &mut self,
        to: &Destination,
    ) -> Result<(Course, Option<(Box<Peer>, usize)>), Unanswered> {
        match self.ask(to).await {
            Ok((peer, head_len)) => {
                let course = self.exchange.answered(&answer(self.kit, &peer));
                Ok((course, Some((peer, head_len))))
            }
            Err(Unanswered::Expired) => Ok((self.exchange.expired(), None)),
            Err(Unanswered::Failed(ending, reason)) => {
                Ok((self.exchange.failed(ending, reason), None))
            }
            Err(unanswered) => Err(unanswered),
        }
    }

    async fn pause(&mut self, delay_ns: u64) -> Result<(), Interrupt> {
        if delay_ns == 0 {
            return Ok(());
        }
        let until_ns = self.exchange.now_ns().saturating_add(delay_ns);
        match self
            .client
            .beside(Some(until_ns), pin!(std::future::pending::<()>()))
            .await
        {
            Err(Interrupt::ClientLeft) => Err(Interrupt::ClientLeft),
            _ => Ok(()),
        }
    }

    /// Gives up an answer that another attempt replaces.
    fn forget(&mut self, answer: Option<(Box<Peer>, usize)>) {
        if let Some((peer, head_len)) = answer.filter(|_| self.upload.is_whole()) {
            let memory = &self.client.worker.memory;
            peer.forget(&self.kit.response, head_len, memory, self.exchange.now_ns());
        }
    }

    /// When the client has sent nothing of its body for too long; `None` when it owes nothing.
    fn stalled_at_ns(&mut self) -> Option<u64> {
        if self.upload.is_read() {
            return None;
        }
        if self.progress.1 != self.upload.seen {
            self.progress = (self.client.worker.clock.now_ns(), self.upload.seen);
        }
        Some(self.progress.0.saturating_add(STALL_NS))
    }
}

fn view(kit: &Kit, sender: Sender) -> RequestView<'_> {
    RequestView {
        head: &kit.request,
        bytes: &kit.bytes,
        sender,
    }
}

fn answer<'a>(kit: &'a Kit, peer: &'a Peer) -> ResponseView<'a> {
    ResponseView {
        head: &kit.response,
        bytes: &peer.wire.input,
    }
}

impl From<NoConnection> for Unanswered {
    fn from(why: NoConnection) -> Self {
        match why {
            NoConnection::NoPlace => Self::NoPlace,
            NoConnection::Failed(ending, reason) => Self::Failed(ending, reason),
        }
    }
}
