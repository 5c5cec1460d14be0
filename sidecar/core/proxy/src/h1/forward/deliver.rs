//! An answer passed on: its head edited, its body relayed, both connections left fit for what follows.

use std::task::{Context, Poll, ready};

use http1::{BodyDecoder, Framing};
use policy::Reason;
use policy::standstill::Verdict;

use super::Forward;
use crate::exchange::End;
use crate::h1::client::{Client, Next};
use crate::h1::kit::Kit;
use crate::h1::peer::Peer;
use crate::h1::relay::{Relay, RelayEnd};
use crate::h1::view::{Draft, ResponseView};
use crate::h1::{STALL_NS, limits};
use crate::stages::timeout::BodyBounds;

impl Forward<'_> {
    /// Passes an answer on, head and body.
    pub(super) async fn deliver(&mut self, mut peer: Box<Peer>, head_len: usize) -> Next {
        let head = &self.kit.response;
        let towards = head.framing.towards(self.kit.request.version);
        if towards == Framing::Tunnel {
            return self.switch_protocols(peer, head_len).await;
        }
        let close = !self.keeps_alive() || towards == Framing::Close;
        let decoder = BodyDecoder::new(head.framing, &peer.wire.input, &head.fields, &limits());
        self.write_head(&mut peer, head_len, towards, close);
        let mut relay = Relay::new(decoder, towards, self.exchange.download.take());
        let end = self.relay(&mut peer, &mut relay).await;
        self.finish(peer, &relay, end, close)
    }

    /// Whether the client's connection can carry another request after this one.
    fn keeps_alive(&self) -> bool {
        self.kit.request.keep_alive && self.upload.is_read() && !self.client.place.is_leaving()
    }

    /// Writes the answer's head; it goes out together with the first of the body.
    pub(super) fn write_head(
        &mut self,
        peer: &mut Peer,
        head_len: usize,
        towards: Framing,
        close: bool,
    ) {
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
                bytes: input,
            },
        );
        writer.finish_response(input, response, towards, close);
        self.client.wire.reserve_output(&self.client.worker.memory);
        writer.copy_to(input, &mut self.client.wire.output);
        peer.wire.consume(head_len);
    }

    /// Passes the body on, and what is left of the request's.
    async fn relay(&mut self, peer: &mut Peer, relay: &mut Relay) -> End {
        let bounds = self.exchange.body_bounds();
        let mut moved_ns = self.exchange.now_ns();
        std::future::poll_fn(|cx| self.poll_relay(cx, peer, relay, bounds, &mut moved_ns)).await
    }

    fn poll_relay(
        &mut self,
        cx: &mut Context<'_>,
        peer: &mut Peer,
        relay: &mut Relay,
        bounds: BodyBounds,
        moved_ns: &mut u64,
    ) -> Poll<End> {
        if let Poll::Ready(Err(_)) = self.poll_upload(cx, peer) {
            return Poll::Ready(End::ClientLeft);
        }
        let Client { wire, worker, .. } = &mut *self.client;
        if let Poll::Ready(end) = relay.poll(cx, &mut peer.wire, wire, &worker.memory) {
            return Poll::Ready(end.into());
        }
        if std::mem::take(&mut relay.has_moved) {
            *moved_ns = worker.clock.now_ns();
        }
        if relay.is_blocked && self.poll_standing(cx, bounds, *moved_ns).is_ready() {
            return Poll::Ready(End::TimedOut(Reason::TimeoutIdle));
        }
        let idle_ns = bounds.idle_ns.filter(|_| !relay.is_blocked);
        if let Poll::Ready(end) = self.poll_bounds(cx, bounds, *moved_ns, idle_ns) {
            return Poll::Ready(end);
        }
        self.poll_client(cx).map(|()| End::ClientLeft)
    }

    /// Ready when the client has taken nothing for too long.
    fn poll_standing(
        &mut self,
        cx: &mut Context<'_>,
        bounds: BodyBounds,
        since_ns: u64,
    ) -> Poll<()> {
        let Client { alarm, worker, .. } = &mut *self.client;
        let idle_ns = bounds.still_ns.unwrap_or(STALL_NS);
        loop {
            match worker
                .shortage
                .judge(since_ns, idle_ns, worker.clock.now_ns())
            {
                Verdict::Over => return Poll::Ready(()),
                Verdict::Waits { until_ns } => {
                    ready!(alarm.poll(cx, &worker.clock, Some(until_ns)));
                }
            }
        }
    }

    /// Ready when a body is out of time.
    pub(super) fn poll_bounds(
        &mut self,
        cx: &mut Context<'_>,
        bounds: BodyBounds,
        moved_ns: u64,
        idle_ns: Option<u64>,
    ) -> Poll<End> {
        let idle_at_ns = idle_ns.map(|idle_ns| moved_ns.saturating_add(idle_ns));
        let idle = idle_at_ns.into_iter().chain(self.stalled_at_ns()).min();
        let idle = idle.map(|at_ns| (at_ns, Reason::TimeoutIdle));
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
    fn finish(&mut self, peer: Box<Peer>, relay: &Relay, end: End, close: bool) -> Next {
        let now_ns = self.exchange.finish(end, relay.bytes);
        self.client.now_ns = now_ns;
        if !matches!(end, End::Complete { .. }) {
            return Next::Reset;
        }
        let has_surplus = relay.has_surplus || !peer.wire.input.is_empty();
        if self.kit.response.keep_alive && !has_surplus && self.upload.is_whole() {
            peer.rest(&self.client.worker.memory, now_ns);
        }
        match (close, self.upload.is_read()) {
            (true, false) => Next::Linger,
            (true, true) => Next::Close,
            (false, _) => Next::Request,
        }
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
