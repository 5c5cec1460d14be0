//! An attempt: the request sent, and its answer's head awaited.

use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http1::{Asked, Cause, Framing, Version};
use policy::Reason;
use policy::ending::Ending;

use super::Forward;
use crate::exchange::Destination;
use crate::h1::client::{Client, Interrupt};
use crate::h1::connect::{connect, connect_at_once};
use crate::h1::kit::Kit;
use crate::h1::peer::{NoHead, Peer};
use crate::h1::upload::NoBody;
use crate::h1::view::{Draft, RequestView};
use crate::race;
use crate::series::{Gone, Unanswered};

impl Forward<'_> {
    /// Sends the request and waits for the head of its answer; its length at the beginning of the peer's input.
    pub(super) async fn ask(&mut self, to: &Destination) -> Result<(Box<Peer>, usize), Unanswered> {
        if let Some(at_ns) = self.exchange.hedge_at_ns(self.upload.is_empty()) {
            return self.ask_hedged(to, at_ns).await;
        }
        let mut fresh = false;
        loop {
            let mut peer = match self.connect_at_once(to, fresh) {
                Some(peer) => peer,
                None => self.connect(to, fresh).await?,
            };
            self.send_head(&mut peer);
            match std::future::poll_fn(|cx| self.poll_answer(cx, &mut peer)).await {
                Ok(head_len) => return Ok((peer, head_len)),
                Err(why) if why.is_stale() && self.exchange.take_free() => fresh = true,
                Err(unanswered) => return Err(unanswered),
            }
        }
    }

    /// The same with a second attempt beside it from `at_ns` on. Most are answered before, over a connection that
    /// rested: only what is not becomes a race.
    async fn ask_hedged(
        &mut self,
        to: &Destination,
        at_ns: u64,
    ) -> Result<(Box<Peer>, usize), Unanswered> {
        let Some(mut peer) = self.connect_at_once(to, false) else {
            return Box::pin(race::run(self, to, false, at_ns)).await;
        };
        self.send_head(&mut peer);
        match std::future::poll_fn(|cx| self.poll_alone(cx, &mut peer, at_ns)).await {
            Some(Ok(head_len)) => Ok((peer, head_len)),
            Some(Err(why)) if why.is_stale() && self.exchange.take_free() => {
                Box::pin(race::run(self, to, true, at_ns)).await
            }
            Some(Err(unanswered)) => Err(unanswered),
            None => Box::pin(race::join(self, to, peer, at_ns)).await,
        }
    }

    /// Ready with what came of the attempt, or with nothing when it is time for a second one.
    fn poll_alone(
        &mut self,
        cx: &mut Context<'_>,
        peer: &mut Peer,
        at_ns: u64,
    ) -> Poll<Option<Result<usize, Unanswered>>> {
        if let Poll::Ready(tried) = self.poll_answer(cx, peer) {
            return Poll::Ready(Some(tried));
        }
        let Client { alarm, worker, .. } = &mut *self.client;
        alarm.poll(cx, &worker.clock, Some(at_ns)).map(|()| None)
    }

    /// A connection that rested, where neither that nor its place takes a wait, unless only a fresh one will do.
    fn connect_at_once(&mut self, to: &Destination, fresh: bool) -> Option<Box<Peer>> {
        let now_ns = self.exchange.now_ns();
        let place = &mut self.exchange.connection;
        (!fresh)
            .then(|| connect_at_once(place, to, now_ns))
            .flatten()
    }

    pub(super) async fn connect(
        &mut self,
        to: &Destination,
        fresh: bool,
    ) -> Result<Box<Peer>, Unanswered> {
        let worker = Rc::clone(&self.client.worker);
        let until_ns = self.exchange.headers_by_ns();
        let now_ns = self.exchange.now_ns();
        let connected = {
            let place = &mut self.exchange.connection;
            let connecting = pin!(connect(&worker, place, to, fresh, now_ns));
            self.client.beside(until_ns, connecting).await
        };
        let has_place = to.cluster.connections.is_none() || self.exchange.connection.is_some();
        match connected {
            Ok(connected) => {
                let peer = connected?;
                self.note_connected(&peer, to);
                Ok(peer)
            }
            Err(Interrupt::OutOfTime) if !has_place => Err(Unanswered::NoPlace),
            Err(Interrupt::OutOfTime) => Err(Unanswered::Expired),
            Err(Interrupt::ClientLeft) => Err(Unanswered::Gone(Gone::Left)),
        }
    }

    /// Only a connection that rested, to a service whose connections are not capped, is there without a wait.
    fn note_connected(&mut self, peer: &Peer, to: &Destination) {
        if !peer.is_reused || to.cluster.connections.is_some() {
            self.exchange.note_connected();
        }
    }

    pub(super) fn send_head(&mut self, peer: &mut Peer) {
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
            sender: self.client.sender,
        };
        self.exchange.edit_request(
            &view,
            &mut Draft {
                writer,
                fields: &request.fields,
                bytes,
            },
        );
        writer.finish_request(bytes, request, request.framing);
        peer.wire.reserve_output(&self.client.worker.memory);
        writer.copy_to(bytes, &mut peer.wire.output);
        self.upload.begin(&mut peer.wire);
        if self.client.wire.input.is_empty() {
            // Whoever waits for a 100 needs the head to be there; an error shows when the answer is read.
            let _ = peer.wire.write(&[]);
        }
    }

    /// Passes the body on and reads, until the final response head is whole.
    pub(super) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        peer: &mut Peer,
    ) -> Poll<Result<usize, Unanswered>> {
        if let Poll::Ready(Err(gone)) = self.poll_upload(cx, peer) {
            return Poll::Ready(Err(gone));
        }
        loop {
            match peer.poll_head(cx, &self.client.worker.memory, &mut self.kit.response) {
                Poll::Ready(Ok(len)) if self.kit.response.is_interim() => {
                    self.pass_on_interim(peer, len);
                }
                Poll::Ready(Ok(len)) => return Poll::Ready(Ok(len)),
                Poll::Ready(Err(no_head)) => {
                    return Poll::Ready(Err(self.unanswered(peer, no_head)));
                }
                Poll::Pending => break,
            }
        }
        // What waits of an interim answer goes on by itself; whether the client takes it, time tells.
        let _ = self.client.wire.poll_flush(cx);
        self.poll_over(cx).map(Err)
    }

    /// Ready when the attempt's time is over, or the client's.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Unanswered> {
        let (headers_by_ns, stalled_ns) = (self.exchange.headers_by_ns(), self.stalled_at_ns());
        let until_ns = headers_by_ns.into_iter().chain(stalled_ns).min();
        let Client { alarm, worker, .. } = &mut *self.client;
        if alarm.poll(cx, &worker.clock, until_ns).is_ready() {
            let has_expired = headers_by_ns.is_some() && until_ns == headers_by_ns;
            return Poll::Ready(if has_expired {
                Unanswered::Expired
            } else {
                Unanswered::Gone(Gone::Left)
            });
        }
        self.poll_client(cx).map(|()| Unanswered::Gone(Gone::Left))
    }

    /// Ready when the client has left; while its body is read, reading it tells.
    pub(super) fn poll_client(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.upload.is_read() {
            self.client.poll_left(cx)
        } else {
            Poll::Pending
        }
    }

    pub(super) fn poll_upload(
        &mut self,
        cx: &mut Context<'_>,
        peer: &mut Peer,
    ) -> Poll<Result<(), Unanswered>> {
        let Client { wire, worker, .. } = &mut *self.client;
        let polled = self.upload.poll(cx, wire, &mut peer.wire, &worker.memory);
        if self.upload.seen > 0 {
            self.exchange.note_body(self.upload.seen);
        }
        if self.exchange.has_mirrors() {
            self.mirror();
        }
        polled.map_err(|no_body| match no_body {
            NoBody::ClientLeft => Unanswered::Gone(Gone::Left),
            NoBody::Malformed(cause) => Unanswered::Gone(Gone::Malformed(cause)),
        })
    }

    fn unanswered(&self, peer: &Peer, no_head: NoHead) -> Unanswered {
        let reason = match no_head {
            NoHead::Gone | NoHead::Malformed(Cause::Truncated) => Reason::UpstreamReset,
            NoHead::Malformed(cause) => {
                self.client.worker.journal.count_malformed(cause);
                Reason::UpstreamProtocol
            }
        };
        Unanswered::Failed {
            ending: Ending::Reset,
            reason,
            is_stale: peer.is_reused && !peer.has_spoken,
        }
    }

    /// Passes an interim answer on to a client that understands it; of two attempts, neither does.
    fn pass_on_interim(&mut self, peer: &mut Peer, len: usize) {
        let Kit {
            request,
            response,
            writer,
            ..
        } = &mut *self.kit;
        if request.version == Version::Http11 && !self.exchange.has_rival() {
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
}
