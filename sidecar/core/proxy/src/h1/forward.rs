//! One exchange over HTTP/1.1: what the stages decide, done with bytes.

mod ask;
mod deliver;
mod hedge;
mod mirror;
mod refuse;
mod through;

use std::pin::pin;
use std::rc::Rc;

use http1::Method;

use super::STALL_NS;
use super::client::{Client, Interrupt, Next};
use super::kit::Kit;
use super::peer::Peer;
use super::upload::Upload;
use super::view::{RequestView, ResponseView};
use crate::exchange::{Course, Destination, Exchange};
use crate::request::Sender;
use crate::series::{self, Gone, Unanswered};
use crate::stages::Refusal;
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
    async fn attempts(&mut self, to: Destination) -> Next {
        match series::run(self, to).await {
            Ok(Ok((peer, head_len))) => self.deliver(peer, head_len).await,
            Ok(Err(refusal)) => self.refuse(refusal).await,
            Err(Gone::Malformed(cause)) => self.refuse_malformed(cause).await,
            Err(Gone::Left) => Next::Close,
        }
    }

    /// Gives up an answer that another attempt replaces.
    fn forget(&mut self, (peer, head_len): (Box<Peer>, usize)) {
        if self.upload.is_whole() {
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

impl series::Driver for Forward<'_> {
    type Answer = (Box<Peer>, usize);

    fn exchange(&mut self) -> &mut Exchange {
        self.exchange
    }

    async fn ask(
        &mut self,
        to: &Destination,
        before: &mut Option<Self::Answer>,
    ) -> Result<Self::Answer, Unanswered> {
        // The exchange has kept the place that it was asked over.
        if let Some(answer) = before.take() {
            self.forget(answer);
        }
        self.ask(to).await
    }

    fn answered(&mut self, (peer, _): &Self::Answer) -> Course {
        self.exchange.answered(&answer(self.kit, peer))
    }

    fn stand_in(&mut self, (peer, _): &Self::Answer) -> Option<Refusal> {
        self.exchange.stand_in(&answer(self.kit, peer))
    }

    async fn pause(&mut self, delay_ns: u64) -> Result<(), Gone> {
        if delay_ns == 0 {
            return Ok(());
        }
        let until_ns = self.exchange.now_ns().saturating_add(delay_ns);
        match self
            .client
            .beside(Some(until_ns), pin!(std::future::pending::<()>()))
            .await
        {
            Err(Interrupt::ClientLeft) => Err(Gone::Left),
            _ => Ok(()),
        }
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
