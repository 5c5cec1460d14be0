//! One exchange over HTTP/1.1: what the stages decide, done with bytes.

use std::net::IpAddr;
use std::task::{Context, Poll};

use http1::{Asked, BodyDecoder, Cause, Framing, Known, Method, Version};
use policy::Reason;
use policy::ending::Ending;

use super::client::{Client, Interrupt, Next};
use super::connect::{self, NoConnection};
use super::kit::Kit;
use super::peer::{NoHead, Peer};
use super::relay::{Relay, RelayEnd};
use super::tunnel::Tunnel;
use super::upload::{NoBody, Upload};
use super::view::{Draft, RequestView, ResponseView};
use super::{STALL_NS, limits};
use crate::exchange::{Course, Destination, End, Exchange};
use crate::request::Response;
use crate::stages::Refusal;
use crate::stages::timeout::BodyBounds;

/// Bytes of a refused request's body that are read, so that the connection can go on.
const MOST_DISCARDED: u64 = 64 * 1024;
/// Time for that.
const DISCARD_NS: u64 = 1_000_000_000;

/// One exchange.
pub(super) struct Forward<'a> {
    client: &'a mut Client,
    kit: &'a mut Kit,
    exchange: Exchange,
    upload: Upload,
}

/// Why an attempt brought no answer.
enum Unanswered {
    Failed(Ending, Reason),
    Expired,
    ClientLeft,
    /// The client's body broke the protocol.
    Malformed(Cause),
    /// The cluster's connections are all in use.
    NoPlace,
}

impl<'a> Forward<'a> {
    /// Begins with the request whose head is in `kit`.
    pub(super) fn new(client: &'a mut Client, kit: &'a mut Kit) -> Self {
        let exchange = Exchange::begin(&client.worker, &client.entry, &view(kit, client.peer));
        let upload = Upload::new(&kit.request, &kit.bytes, 0, &client.worker.memory);
        Self {
            client,
            kit,
            exchange,
            upload,
        }
    }

    /// Serves the request.
    pub(super) async fn run(mut self) -> Next {
        match self.admit().await {
            Ok(Ok(())) => {}
            Ok(Err(refusal)) => return self.refuse(refusal).await,
            Err(_) => return Next::Close,
        }
        self.keep_body();
        let to = match self.exchange.attempt() {
            Ok(to) => to,
            Err(refusal) => return self.refuse(refusal).await,
        };
        match self.kit.request.method {
            Method::Connect => self.connect_through(to).await,
            _ => self.attempts(to).await,
        }
    }

    async fn admit(&mut self) -> Result<Result<(), Refusal>, Interrupt> {
        let entry = std::rc::Rc::clone(&self.client.entry);
        let request = view(self.kit, self.client.peer);
        self.client
            .beside(None, self.exchange.admit(&entry, &request))
            .await
    }

    /// Keeps the body for another attempt, now that the policy is known.
    fn keep_body(&mut self) {
        let most = self.exchange.replay_bytes();
        if most > 0 {
            let (kit, memory) = (&*self.kit, &self.client.worker.memory);
            self.upload = Upload::new(&kit.request, &kit.bytes, most, memory);
        }
        self.exchange.note_body_length(self.upload.length());
    }

    /// Makes attempts until an answer is to be passed on, or a refusal.
    async fn attempts(mut self, mut to: Destination) -> Next {
        let mut held: Option<(Peer, usize)> = None;
        loop {
            let course = match self.ask(&to).await {
                Ok((peer, head_len)) => {
                    let course = self.exchange.answered(&answer(self.kit, &peer));
                    held = Some((peer, head_len));
                    course
                }
                Err(Unanswered::ClientLeft) => return Next::Close,
                Err(Unanswered::Malformed(cause)) => return self.refuse_malformed(cause).await,
                Err(Unanswered::NoPlace) => return self.refuse_connection().await,
                Err(Unanswered::Expired) => self.exchange.expired(),
                Err(Unanswered::Failed(ending, reason)) => self.exchange.failed(ending, reason),
            };
            match (course, held.take()) {
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
                            to = next;
                            self.forget(answer);
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

    async fn pause(&mut self, delay_ns: u64) -> Result<(), Interrupt> {
        if delay_ns == 0 {
            return Ok(());
        }
        let until_ns = self.client.worker.clock.now_ns().saturating_add(delay_ns);
        match self
            .client
            .beside(Some(until_ns), std::future::pending::<()>())
            .await
        {
            Err(Interrupt::ClientLeft) => Err(Interrupt::ClientLeft),
            _ => Ok(()),
        }
    }

    /// Gives up an answer that another attempt replaces.
    fn forget(&mut self, answer: Option<(Peer, usize)>) {
        if let Some((peer, head_len)) = answer.filter(|_| self.upload.is_whole()) {
            let worker = &self.client.worker;
            peer.forget(
                &self.kit.response,
                head_len,
                &worker.memory,
                worker.clock.now_ns(),
            );
        }
    }

    /// Sends the request and waits for the head of its answer; its length at the beginning of the peer's input.
    async fn ask(&mut self, to: &Destination) -> Result<(Peer, usize), Unanswered> {
        let mut fresh = false;
        loop {
            let mut peer = self.connect(to, fresh).await?;
            self.send_head(&mut peer);
            match std::future::poll_fn(|cx| self.poll_answer(cx, &mut peer)).await {
                Ok(head_len) => return Ok((peer, head_len)),
                Err(Unanswered::Failed(Ending::Reset, _))
                    if peer.is_reused && !peer.has_spoken && self.exchange.take_free() =>
                {
                    fresh = true;
                }
                Err(unanswered) => return Err(unanswered),
            }
        }
    }

    async fn connect(&mut self, to: &Destination, fresh: bool) -> Result<Peer, Unanswered> {
        let worker = std::rc::Rc::clone(&self.client.worker);
        let until_ns = self.exchange.headers_by_ns();
        let connecting = connect::connect(&worker, &mut self.exchange, to, fresh);
        match self.client.beside(until_ns, connecting).await {
            Ok(Ok(peer)) => Ok(peer),
            Ok(Err(NoConnection::NoPlace)) => Err(Unanswered::NoPlace),
            Ok(Err(NoConnection::Failed(ending, reason))) => {
                Err(Unanswered::Failed(ending, reason))
            }
            Err(Interrupt::OutOfTime) => Err(Unanswered::Expired),
            Err(Interrupt::ClientLeft) => Err(Unanswered::ClientLeft),
        }
    }

    fn send_head(&mut self, peer: &mut Peer) {
        let Kit {
            bytes,
            request,
            writer,
            ..
        } = &mut *self.kit;
        peer.expect(Asked {
            method: request.method,
            upgrade: request.upgrade.is_some(),
        });
        writer.begin(&request.fields);
        let view = RequestView {
            head: request,
            bytes,
            peer: self.client.peer,
        };
        self.exchange.edit_request(
            &view,
            &mut Draft {
                writer,
                fields: &request.fields,
            },
        );
        writer.finish_request(bytes, request, request.framing);
        if peer.wire.output.capacity() == 0 {
            peer.wire.output = self.client.worker.memory.take();
        }
        writer.copy_to(bytes, &mut peer.wire.output);
        self.upload.begin(&mut peer.wire);
        if self.client.wire.input.is_empty() {
            // Whoever waits for a 100 needs the head to be there; an error shows when the answer is read.
            let _ = peer.wire.write(&[]);
        }
    }

    /// Passes the body on and reads, until the final response head is whole.
    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        peer: &mut Peer,
    ) -> Poll<Result<usize, Unanswered>> {
        if let Poll::Ready(Err(gone)) = self.poll_upload(cx, peer) {
            return Poll::Ready(Err(gone));
        }
        loop {
            let memory = &self.client.worker.memory;
            match peer.poll_head(cx, memory, &mut self.kit.response) {
                Poll::Ready(Ok(len)) if self.kit.response.is_interim() => {
                    self.pass_on_interim(peer, len);
                }
                Poll::Ready(Ok(len)) => return Poll::Ready(Ok(len)),
                Poll::Ready(Err(no_head)) => return Poll::Ready(Err(self.no_head(no_head))),
                Poll::Pending => break,
            }
        }
        // What waits of an interim answer goes on by itself; whether the client takes it, time tells.
        let _ = self.client.wire.poll_flush(cx);
        let until_ns = self.exchange.headers_by_ns();
        if self
            .client
            .alarm
            .poll(cx, &self.client.worker.clock, until_ns)
            .is_ready()
        {
            return Poll::Ready(Err(Unanswered::Expired));
        }
        self.poll_client(cx)
    }

    /// Watches the client, unless its body is still being read.
    fn poll_client<T>(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Unanswered>> {
        if !self.upload.is_read() {
            return Poll::Pending;
        }
        self.client
            .poll_left(cx)
            .map(|()| Err(Unanswered::ClientLeft))
    }

    fn poll_upload(
        &mut self,
        cx: &mut Context<'_>,
        peer: &mut Peer,
    ) -> Poll<Result<(), Unanswered>> {
        let Client { wire, worker, .. } = &mut *self.client;
        let polled = self.upload.poll(cx, wire, &mut peer.wire, &worker.memory);
        if self.upload.seen > 0 {
            self.exchange.note_body(self.upload.seen);
        }
        polled.map_err(|no_body| match no_body {
            NoBody::ClientLeft => Unanswered::ClientLeft,
            NoBody::Malformed(cause) => Unanswered::Malformed(cause),
        })
    }

    fn no_head(&self, no_head: NoHead) -> Unanswered {
        match no_head {
            NoHead::Gone => Unanswered::Failed(Ending::Reset, Reason::UpstreamReset),
            NoHead::Malformed(Cause::Truncated) => {
                Unanswered::Failed(Ending::Reset, Reason::UpstreamReset)
            }
            NoHead::Malformed(cause) => {
                self.client.worker.journal.count_malformed(cause);
                Unanswered::Failed(Ending::Reset, Reason::UpstreamProtocol)
            }
        }
    }

    /// Passes an interim answer on to a client that understands it.
    fn pass_on_interim(&mut self, peer: &mut Peer, len: usize) {
        let Kit {
            request,
            response,
            writer,
            ..
        } = &mut *self.kit;
        if request.version == Version::Http11 {
            writer.begin(&response.fields);
            writer.remove_internal(&response.fields);
            writer.finish_response(&peer.wire.input, response, Framing::None, false);
            writer.copy_to(&peer.wire.input, &mut self.client.wire.output);
            // A client that takes nothing shows when the final answer is written.
            let _ = self.client.wire.write(&[]);
            self.exchange.note_passed_on();
        }
        peer.wire.consume(len);
    }

    /// Passes an answer on, head and body.
    async fn deliver(mut self, mut peer: Peer, head_len: usize) -> Next {
        let head = &self.kit.response;
        let towards = head.framing.towards(self.kit.request.version);
        if towards == Framing::Tunnel {
            return self.switch_protocols(peer, head_len).await;
        }
        let close = !self.keeps_alive() || towards == Framing::Close;
        let decoder = BodyDecoder::new(head.framing, &peer.wire.input, &head.fields, &limits());
        self.write_head(&mut peer, head_len, towards, close);
        let mut relay = Relay::new(decoder, towards);
        let end = self.relay(&mut peer, &mut relay).await;
        self.finish(peer, &relay, end, close)
    }

    /// Whether the client's connection can carry another request after this one.
    fn keeps_alive(&self) -> bool {
        self.kit.request.keep_alive
            && self.upload.is_read()
            && !self.client.worker.connections.is_draining()
    }

    fn write_head(&mut self, peer: &mut Peer, head_len: usize, towards: Framing, close: bool) {
        let Kit {
            response, writer, ..
        } = &mut *self.kit;
        let input = &peer.wire.input;
        writer.begin(&response.fields);
        let view = ResponseView {
            head: response,
            bytes: input,
        };
        self.exchange.edit_response(
            &view,
            &mut Draft {
                writer,
                fields: &response.fields,
            },
        );
        writer.finish_response(input, response, towards, close);
        if self.client.wire.output.capacity() == 0 {
            self.client.wire.output = self.client.worker.memory.take();
        }
        writer.copy_to(input, &mut self.client.wire.output);
        peer.wire.consume(head_len);
    }

    /// Passes the body on, and what is left of the request's.
    async fn relay(&mut self, peer: &mut Peer, relay: &mut Relay) -> End {
        let bounds = self.exchange.body_bounds();
        let mut moved_ns = None;
        std::future::poll_fn(|cx| self.poll_relay(cx, peer, relay, bounds, &mut moved_ns)).await
    }

    fn poll_relay(
        &mut self,
        cx: &mut Context<'_>,
        peer: &mut Peer,
        relay: &mut Relay,
        bounds: BodyBounds,
        moved_ns: &mut Option<u64>,
    ) -> Poll<End> {
        if let Poll::Ready(Err(_)) = self.poll_upload(cx, peer) {
            return Poll::Ready(End::ClientLeft);
        }
        let Client { wire, worker, .. } = &mut *self.client;
        if let Poll::Ready(end) = relay.poll(cx, &mut peer.wire, wire, &worker.memory) {
            return Poll::Ready(end.into());
        }
        if std::mem::take(&mut relay.has_moved) || moved_ns.is_none() {
            *moved_ns = Some(worker.clock.now_ns());
        }
        let idle_ns = if relay.is_blocked {
            Some(STALL_NS)
        } else {
            bounds.idle_ns
        };
        if let Poll::Ready(end) = self.poll_bounds(cx, bounds, *moved_ns, idle_ns) {
            return Poll::Ready(end);
        }
        self.poll_client::<()>(cx).map(|_| End::ClientLeft)
    }

    /// Ready when a body is out of time.
    fn poll_bounds(
        &mut self,
        cx: &mut Context<'_>,
        bounds: BodyBounds,
        moved_ns: Option<u64>,
        idle_ns: Option<u64>,
    ) -> Poll<End> {
        let idle = moved_ns
            .zip(idle_ns)
            .map(|(moved_ns, idle_ns)| (moved_ns.saturating_add(idle_ns), Reason::TimeoutIdle));
        let Some((at_ns, reason)) = bounds.until.into_iter().chain(idle).min_by_key(|by| by.0)
        else {
            return Poll::Pending;
        };
        let over = self
            .client
            .alarm
            .poll(cx, &self.client.worker.clock, Some(at_ns));
        over.map(|()| End::TimedOut(reason))
    }

    /// Ends the exchange; what becomes of both connections.
    fn finish(self, peer: Peer, relay: &Relay, end: End, close: bool) -> Next {
        self.exchange.finish(end, relay.bytes);
        if !matches!(end, End::Complete { .. }) {
            return Next::Reset;
        }
        let is_reusable =
            self.kit.response.keep_alive && !relay.has_surplus && self.upload.is_whole();
        if is_reusable {
            let worker = &self.client.worker;
            peer.rest(&worker.memory, worker.clock.now_ns());
        }
        match (close, self.upload.is_read()) {
            (true, false) => Next::Linger,
            (true, true) => Next::Close,
            (false, _) => Next::Request,
        }
    }

    /// A 101: from here on, both sides speak another protocol.
    async fn switch_protocols(mut self, mut peer: Peer, head_len: usize) -> Next {
        self.write_head(&mut peer, head_len, Framing::Tunnel, false);
        self.tunnel(peer).await
    }

    /// CONNECT to a service of the mesh: a connection to one of its endpoints, whatever is spoken over it.
    async fn connect_through(mut self, to: Destination) -> Next {
        match self.connect(&to, true).await {
            Ok(peer) => {
                self.exchange.answered(&Established);
                self.client
                    .wire
                    .output
                    .extend_from_slice(b"HTTP/1.1 200 OK\r\n\r\n");
                self.tunnel(peer).await
            }
            Err(Unanswered::ClientLeft | Unanswered::Malformed(_)) => Next::Close,
            Err(Unanswered::NoPlace) => self.refuse_connection().await,
            Err(Unanswered::Expired) => {
                let course = self.exchange.expired();
                self.refuse_course(course).await
            }
            Err(Unanswered::Failed(ending, reason)) => {
                let course = self.exchange.failed(ending, reason);
                self.refuse_course(course).await
            }
        }
    }

    /// A tunnel is tried once: what would be tried again is refused as well.
    async fn refuse_course(mut self, course: Course) -> Next {
        let refusal = match course {
            Course::Refuse(refusal) => refusal,
            _ => self.exchange.take_failure(),
        };
        self.refuse(refusal).await
    }

    async fn tunnel(mut self, mut peer: Peer) -> Next {
        let bounds = self.exchange.body_bounds();
        let mut tunnel = Tunnel::default();
        let mut moved_ns = None;
        let end = std::future::poll_fn(|cx| {
            let Client { wire, worker, .. } = &mut *self.client;
            let (over, has_moved) = tunnel.poll(cx, wire, &mut peer.wire, &worker.memory);
            if let Poll::Ready(over) = over {
                return Poll::Ready(
                    over.map_or(End::ClientLeft, |()| End::Complete { code: None }),
                );
            }
            if has_moved || moved_ns.is_none() {
                moved_ns = Some(worker.clock.now_ns());
            }
            self.poll_bounds(cx, bounds, moved_ns, bounds.idle_ns)
        })
        .await;
        self.exchange.note_body(tunnel.up.bytes);
        self.exchange.finish(end, tunnel.down.bytes);
        Next::Close
    }

    /// The client's body broke the protocol: nothing complete went upstream.
    async fn refuse_malformed(self, cause: Cause) -> Next {
        self.client.worker.journal.count_malformed(cause);
        let refusal = Refusal {
            status: Some(cause.status()),
            ..Refusal::new(Reason::ProtocolInvalid)
        };
        self.answer(refusal, true).await
    }

    async fn refuse_connection(mut self) -> Next {
        let refusal = self.exchange.withdraw();
        self.refuse(refusal).await
    }

    /// Answers with a refusal; the connection goes on if the body's rest is short.
    async fn refuse(self, refusal: Refusal) -> Next {
        let is_short = self
            .upload
            .unread()
            .is_some_and(|left| left <= MOST_DISCARDED);
        let close = !self.kit.request.keep_alive
            || self.client.worker.connections.is_draining()
            || !is_short
            || (self.kit.request.expect_continue && !self.upload.is_read());
        self.answer(refusal, close).await
    }

    async fn answer(mut self, refusal: Refusal, close: bool) -> Next {
        let answer = self.exchange.refuse(refusal);
        let is_head = self.kit.request.method == Method::Head;
        let next = self.client.send(&answer, close, is_head).await;
        self.exchange
            .finish(End::Complete { code: None }, answer.body.len() as u64);
        match next {
            Next::Request => discard(self.client, &mut self.upload).await,
            next => next,
        }
    }
}

/// Reads what is left of a refused request's body.
async fn discard(client: &mut Client, upload: &mut Upload) -> Next {
    let until_ns = client.worker.clock.now_ns().saturating_add(DISCARD_NS);
    std::future::poll_fn(|cx| {
        let memory = &client.worker.memory;
        if let Poll::Ready(read) = upload.poll_discard(cx, &mut client.wire, memory) {
            return Poll::Ready(if read.is_ok() {
                Next::Request
            } else {
                Next::Reset
            });
        }
        let late = client.alarm.poll(cx, &client.worker.clock, Some(until_ns));
        late.map(|()| Next::Linger)
    })
    .await
}

fn view(kit: &Kit, peer: IpAddr) -> RequestView<'_> {
    RequestView {
        head: &kit.request,
        bytes: &kit.bytes,
        peer,
    }
}

fn answer<'a>(kit: &'a Kit, peer: &'a Peer) -> ResponseView<'a> {
    ResponseView {
        head: &kit.response,
        bytes: &peer.wire.input,
    }
}

impl From<RelayEnd> for End {
    fn from(end: RelayEnd) -> Self {
        match end {
            RelayEnd::Complete => Self::Complete { code: None },
            RelayEnd::Truncated => Self::Truncated,
            RelayEnd::ClientLeft => Self::ClientLeft,
        }
    }
}

/// The answer to a CONNECT that the sidecar itself gives.
struct Established;

impl Response for Established {
    fn status(&self) -> u16 {
        200
    }

    fn known(&self, _: Known) -> Option<&[u8]> {
        None
    }
}
