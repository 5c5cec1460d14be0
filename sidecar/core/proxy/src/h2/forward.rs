//! One exchange over HTTP/2: what the stages decide, done with streams.

use std::rc::Rc;
use std::task::{Context, Poll};

use ::h2::RecvStream;
use ::h2::client::SendRequest;
use ::h2::server::SendResponse;
use http::Method;
use http::request::Parts;
use http::response::Parts as ResponseParts;
use http1::Known;

use super::attempt::{Answered, Attempt};
use super::client::{Client, Interrupt};
use super::connect::take_slot;
use super::mirror::Copy;
use super::parcel::Parcel;
use super::pool::Slot;
use super::session::Session;
use super::upload::Upload;
use super::view::{Draft, RequestView, ResponseView, field};
use super::{STALL_NS, answer};
use crate::exchange::{Course, Destination, End, Exchange};
use crate::race;
use crate::request::{Request, Sender};
use crate::series::{self, Gone, Unanswered};
use crate::stages::Refusal;
use crate::stages::mirror::BODY_BYTES;
use crate::worker::Entry;

/// One exchange.
pub(super) struct Forward {
    pub(super) client: Client,
    pub(super) head: Parts,
    pub(super) exchange: Exchange,
    pub(super) upload: Upload,
    pub(super) is_grpc: bool,
    /// When the client last sent some of its body, and how much it had sent by then.
    progress: (u64, u64),
}

impl Forward {
    /// Begins with a request that was checked.
    pub(super) fn new(
        session: &Rc<Session>,
        head: Parts,
        body: RecvStream,
        respond: SendResponse<Parcel>,
    ) -> Self {
        let presence = session.enter();
        let request = view(&head, session.sender);
        let exchange = Exchange::begin(&session.worker, &session.entry, &request);
        Self {
            client: Client { presence, respond },
            is_grpc: request.is_grpc(),
            progress: (exchange.now_ns(), 0),
            head,
            exchange,
            upload: Upload::new(body),
        }
    }

    /// Serves the request. Where it just returns, the client has left.
    pub(super) async fn run(self) {
        let entry = Rc::clone(&self.client.presence.session.entry);
        self.enter(entry).await;
    }

    /// Serves the request as one that came in there.
    async fn enter(mut self, entry: Rc<Entry>) {
        match self.admit(&entry).await {
            Ok(Ok(())) => {}
            Ok(Err(refusal)) => return self.refuse(refusal).await,
            Err(_) => return,
        }
        self.keep_body();
        match self.exchange.attempt() {
            Ok(to) => self.attempts(to).await,
            Err(refusal) => self.refuse(refusal).await,
        }
    }

    async fn admit(&mut self, entry: &Entry) -> Result<Result<(), Refusal>, Interrupt> {
        let session = Rc::clone(&self.client.presence.session);
        let request = view(&self.head, session.sender);
        let admitting = self.exchange.admit(entry, &request);
        self.client.beside(None, admitting).await
    }

    /// Keeps the body for another attempt, now that the policy is known.
    fn keep_body(&mut self) {
        self.upload.keep(self.exchange.replay_bytes());
        self.upload.throttle = self.exchange.upload.take();
        let length = field(&self.head.headers, Known::ContentLength);
        let length = length.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        self.exchange.note_body_length(length.unwrap_or_default());
    }

    /// Makes attempts until an answer is to be passed on, or a refusal.
    async fn attempts(mut self, to: Destination) {
        match series::run(&mut self, to).await {
            Ok(Ok(answer)) => self.deliver(answer).await,
            Ok(Err(refusal)) => self.refuse(refusal).await,
            Err(_) => {}
        }
    }

    /// Gives up the answer before an attempt to `to`, whose place that uses. Where other streams are on its connection,
    /// and the attempt may be refused a place of its own, the answer stays.
    fn make_way(&mut self, to: &Destination, before: &mut Option<Answered>) {
        let Some(Answered { slot, .. }) = before else {
            return;
        };
        let is_shared = !slot.is_alone();
        if is_shared && to.cluster.connections.is_some() && !slot.leaves_room(to) {
            return;
        }
        self.keep_place(slot);
        *before = None;
    }

    /// Keeps the place of an attempt's connection for the next one, if no other stream is on it.
    fn keep_place(&mut self, slot: &Slot) {
        if slot.is_alone() {
            self.exchange.connection = slot.link.take_place();
        }
    }

    async fn ask_once(
        &mut self,
        to: &Destination,
        before: &mut Option<Answered>,
    ) -> Result<Answered, Unanswered> {
        let mut attempt = self.connect(to, before).await?;
        let answer = std::future::poll_fn(|cx| self.poll_answer(cx, &mut attempt)).await?;
        Ok(attempt.answered(answer))
    }

    async fn connect(
        &mut self,
        to: &Destination,
        before: &mut Option<Answered>,
    ) -> Result<Attempt, Unanswered> {
        let worker = Rc::clone(&self.client.presence.session.worker);
        let until_ns = self.exchange.headers_by_ns();
        let taking = take_slot(&worker, to, self.exchange.connection.take());
        let slot = match self.client.beside(until_ns, taking).await {
            Ok(slot) => slot?,
            Err(Interrupt::OutOfTime) => return Err(Unanswered::NoPlace),
            Err(interrupt) => return Err(interrupt.into()),
        };
        *before = None;
        let connecting = slot.link.connected();
        let connected = match self.client.beside(until_ns, connecting).await {
            Ok(connected) => connected.map_err(Into::into),
            Err(interrupt) => Err(interrupt.into()),
        };
        match connected {
            Ok(send) => self.begin((send, slot)),
            Err(why) => {
                self.keep_place(&slot);
                Err(why)
            }
        }
    }

    /// Sends the request's head on a connection.
    pub(super) fn begin(
        &mut self,
        (send, slot): (SendRequest<Parcel>, Slot),
    ) -> Result<Attempt, Unanswered> {
        self.exchange.note_connected();
        self.upload.begin();
        let begun = Attempt::begin(self.edited_head(), self.upload.is_empty(), send, slot);
        begun.map_err(|(why, slot)| {
            self.keep_place(&slot);
            why
        })
    }

    fn edited_head(&self) -> Parts {
        let sender = self.client.presence.session.sender;
        edited(&self.exchange, &self.head, sender)
    }

    /// Passes the body on, and waits for the head of the answer.
    pub(super) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        attempt: &mut Attempt,
    ) -> Poll<Result<(ResponseParts, RecvStream), Unanswered>> {
        let polled = self.poll_attempt(cx, attempt);
        if let Poll::Ready(Err(why)) = &polled {
            self.keep_place(&attempt.slot);
            if matches!(why, Unanswered::Expired) {
                attempt.slot.link.doubt();
            }
        }
        polled
    }

    fn poll_attempt(
        &mut self,
        cx: &mut Context<'_>,
        attempt: &mut Attempt,
    ) -> Poll<Result<(ResponseParts, RecvStream), Unanswered>> {
        let polled = attempt.poll(cx, &mut self.upload);
        self.exchange.note_body(self.upload.seen());
        self.mirror();
        if polled.is_ready() {
            return polled;
        }
        let (headers_by_ns, stalled_ns) = (self.exchange.headers_by_ns(), self.stalled_at_ns());
        let until_ns = headers_by_ns.into_iter().chain(stalled_ns).min();
        let interrupt = self.client.poll_interrupt(cx, until_ns);
        interrupt.map(|interrupt| match interrupt {
            Interrupt::OutOfTime if until_ns == headers_by_ns => Err(Unanswered::Expired),
            _ => Err(Unanswered::Gone(Gone::Left)),
        })
    }

    /// Makes the copies that are due, as soon as all of the request is here.
    pub(super) fn mirror(&mut self) {
        if !self.exchange.has_mirrors() {
            return;
        }
        let (head, sender) = (&self.head, self.client.presence.session.sender);
        let kept = self.upload.kept(BODY_BYTES);
        self.exchange.mirror(kept, |exchange, (body, trailers)| {
            Some(Copy {
                head: edited(exchange, head, sender),
                body: body.concat().into(),
                trailers: trailers.cloned(),
            })
        });
    }

    /// When the client has sent nothing for too long of a body that is waited for; gRPC calls may rest.
    pub(super) fn stalled_at_ns(&mut self) -> Option<u64> {
        if !self.upload.awaits_client() || self.is_grpc {
            return None;
        }
        if self.progress.1 != self.upload.seen() {
            self.progress = (self.client.presence.now_ns(), self.upload.seen());
        }
        Some(self.progress.0.saturating_add(STALL_NS))
    }

    fn fall_back(&mut self, refusal: &Refusal) -> Option<Rc<Entry>> {
        if !self.upload.can_begin_again() {
            return None;
        }
        let request = view(&self.head, self.client.presence.session.sender);
        self.exchange.fall_back(refusal, &request)
    }

    /// Answers with a refusal, or asks the service that stands in, if the whole request can be sent to it.
    async fn refuse(mut self, refusal: Refusal) {
        if let Some(entry) = self.fall_back(&refusal) {
            return Box::pin(self.enter(entry)).await;
        }
        let request = view(&self.head, self.client.presence.session.sender);
        let answer = self.exchange.refuse(&refusal, &request);
        let is_head = self.head.method == Method::HEAD;
        let end = match answer::send(&answer, is_head, &mut self.client.respond) {
            Ok(()) => End::Complete { code: None },
            Err(_) => End::ClientLeft,
        };
        self.client.presence.ended();
        self.exchange.finish(end, answer.body.len() as u64);
    }
}

impl series::Driver for Forward {
    type Answer = Answered;

    fn exchange(&mut self) -> &mut Exchange {
        &mut self.exchange
    }

    async fn ask(
        &mut self,
        to: &Destination,
        before: &mut Option<Answered>,
    ) -> Result<Answered, Unanswered> {
        self.make_way(to, before);
        if let Some(at_ns) = self.exchange.hedge_at_ns(self.upload.is_empty()) {
            let (attempt, answer) = Box::pin(race::run(self, to, false, at_ns)).await?;
            return Ok(attempt.answered(answer));
        }
        loop {
            match self.ask_once(to, before).await {
                Err(why) if why.is_stale() && self.exchange.take_free() => {}
                answer => return answer,
            }
        }
    }

    fn answered(&mut self, answer: &Answered) -> Course {
        self.exchange.answered(&ResponseView(&answer.head))
    }

    fn stand_in(&mut self, answer: &Answered) -> Option<Refusal> {
        self.exchange.stand_in(&ResponseView(&answer.head))
    }

    async fn pause(&mut self, delay_ns: u64) -> Result<(), Gone> {
        if delay_ns == 0 {
            return Ok(());
        }
        let until_ns = Some(self.exchange.now_ns().saturating_add(delay_ns));
        match std::future::poll_fn(|cx| self.client.poll_interrupt(cx, until_ns)).await {
            Interrupt::ClientLeft => Err(Gone::Left),
            Interrupt::OutOfTime => Ok(()),
        }
    }
}

fn edited(exchange: &Exchange, head: &Parts, sender: Sender) -> Parts {
    let mut edited = head.clone();
    exchange.edit_request(&view(head, sender), &mut Draft(&mut edited.headers));
    edited
}

const fn view(head: &Parts, sender: Sender) -> RequestView<'_> {
    RequestView { head, sender }
}

impl From<Interrupt> for Unanswered {
    fn from(interrupt: Interrupt) -> Self {
        match interrupt {
            Interrupt::ClientLeft => Self::Gone(Gone::Left),
            Interrupt::OutOfTime => Self::Expired,
        }
    }
}
