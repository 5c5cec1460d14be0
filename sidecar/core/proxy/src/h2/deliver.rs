//! An answer passed on: its head, its body beside what is left of the request's, its trailers.

use std::task::{Context, Poll, ready};

use ::h2::{Reason as Code, SendStream};
use http::response::Parts as ResponseParts;
use http::{HeaderMap, Response, StatusCode};
use http1::Known;
use policy::standstill::Verdict;
use policy::{Reason, grpc};

use super::attempt::Answered;
use super::forward::Forward;
use super::parcel::Parcel;
use super::relay::{BodyEnd, Relay};
use super::upload::ClientLeft;
use super::view::{Draft, ResponseView, clean_trailers, field};
use super::{STALL_NS, answer};
use crate::exchange::{End, Exchange};
use crate::stages::timeout::BodyBounds;

/// How the media types of gRPC-Web begin.
const GRPC_WEB: &[u8] = b"application/grpc-web";

/// An answer on its way to the client.
struct Delivery {
    forward: Forward,
    relay: Relay,
    /// Where the answer goes.
    to: SendStream<Parcel>,
    /// Where the rest of the request goes.
    request: SendStream<Parcel>,
    bounds: BodyBounds,
    moved_ns: u64,
    /// What a call comes to whose trailers bring no status.
    without_status: Option<grpc::Code>,
}

impl Forward {
    /// Passes an answer on, head and body.
    pub(super) async fn deliver(mut self, answered: Answered) {
        let is_bare = answered.body.is_end_stream();
        let without_status = self.without_status(&answered.head);
        let head = edited(&mut self.exchange, &answered);
        let Ok(to) = self.client.respond.send_response(head, is_bare) else {
            return;
        };
        if is_bare {
            let code = without_status;
            return self.finish(End::Complete { code }, 0);
        }
        let Answered {
            body,
            request,
            slot: _slot,
            ..
        } = answered;
        let throttle = self.exchange.download.take();
        let delivery = Delivery {
            bounds: self.exchange.body_bounds(),
            moved_ns: self.exchange.now_ns(),
            forward: self,
            relay: Relay::new(body, throttle),
            to,
            request,
            without_status,
        };
        delivery.run().await;
    }

    /// What a gRPC call comes to when no status comes: clients find that out for themselves. One of gRPC-Web has its own in
    /// the body.
    fn without_status(&self, head: &ResponseParts) -> Option<grpc::Code> {
        let kind = field(&self.head.headers, Known::ContentType);
        let is_web = kind.is_some_and(|kind| kind.starts_with(GRPC_WEB));
        let has_status = || field(&head.headers, Known::GrpcStatus).is_some();
        let is_due = self.is_grpc && !is_web && head.status == StatusCode::OK && !has_status();
        is_due.then(|| grpc::Code::from_http_status(head.status.as_u16()))
    }

    fn finish(mut self, end: End, bytes_out: u64) {
        if end != End::ClientLeft {
            self.client.presence.ended();
        }
        self.exchange.finish(end, bytes_out);
    }
}

fn edited(exchange: &mut Exchange, answered: &Answered) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = answered.head.status;
    response.headers_mut().clone_from(&answered.head.headers);
    let draft = &mut Draft(response.headers_mut());
    exchange.edit_response(&ResponseView(&answered.head), draft);
    response
}

impl Delivery {
    async fn run(mut self) {
        let end = std::future::poll_fn(|cx| self.poll(cx)).await;
        let end = self.end(end);
        self.forward.finish(end, self.relay.bytes());
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<BodyEnd> {
        let seen = self.forward.upload.seen();
        if let Poll::Ready(Err(ClientLeft)) = self.forward.upload.poll(cx, &mut self.request) {
            return Poll::Ready(BodyEnd::ClientLeft);
        }
        self.forward.exchange.note_body(self.forward.upload.seen());
        self.forward.mirror();
        if let Poll::Ready(end) = self.relay.poll(cx, &mut self.to) {
            return Poll::Ready(end);
        }
        if std::mem::take(&mut self.relay.has_moved) || seen < self.forward.upload.seen() {
            self.moved_ns = self.forward.client.presence.now_ns();
        }
        if let Poll::Ready(reason) = self.poll_bounds(cx) {
            return Poll::Ready(BodyEnd::TimedOut(reason));
        }
        self.to.poll_reset(cx).map(|_| BodyEnd::ClientLeft)
    }

    /// Ready when the body is out of time.
    fn poll_bounds(&mut self, cx: &mut Context<'_>) -> Poll<Reason> {
        if self.relay.is_blocked && self.poll_standing(cx).is_ready() {
            return Poll::Ready(Reason::TimeoutIdle);
        }
        let idle_ns = self.bounds.idle_ns.filter(|_| !self.relay.is_blocked);
        let idle = idle_ns.map(|idle_ns| self.moved_ns.saturating_add(idle_ns));
        let idle = idle.map(|at_ns| (at_ns, Reason::TimeoutIdle));
        let stalled = self.forward.stalled_at_ns();
        let stalled = stalled.map(|at_ns| (at_ns, Reason::TimeoutIdle));
        let bounds = self.bounds.until.into_iter().chain(idle).chain(stalled);
        let Some((at_ns, reason)) = bounds.min_by_key(|bound| bound.0) else {
            return Poll::Pending;
        };
        let presence = &mut self.forward.client.presence;
        presence.poll_alarm(cx, Some(at_ns)).map(|()| reason)
    }

    /// Ready when the client has taken nothing for too long.
    fn poll_standing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let idle_ns = self.bounds.still_ns.unwrap_or(STALL_NS);
        let presence = &mut self.forward.client.presence;
        loop {
            let (shortage, now_ns) = (&presence.session.worker.shortage, presence.now_ns());
            match shortage.judge(self.moved_ns, idle_ns, now_ns) {
                Verdict::Over => return Poll::Ready(()),
                Verdict::Waits { until_ns } => ready!(presence.poll_alarm(cx, Some(until_ns))),
            }
        }
    }

    /// Tells the client how the body ended. What is not whole never looks so.
    fn end(&mut self, end: BodyEnd) -> End {
        match end {
            BodyEnd::Complete => End::Complete {
                code: self.without_status,
            },
            BodyEnd::Trailers(trailers) => self.pass_on(trailers),
            BodyEnd::ClientLeft => End::ClientLeft,
            BodyEnd::Truncated => {
                self.to.send_reset(Code::INTERNAL_ERROR);
                End::Truncated
            }
            BodyEnd::TimedOut(reason) => {
                self.cut(reason);
                End::TimedOut(reason)
            }
        }
    }

    fn pass_on(&mut self, mut trailers: HeaderMap) -> End {
        let status = field(&trailers, Known::GrpcStatus).filter(|_| self.forward.is_grpc);
        let code = status.map(grpc::Code::from_status_field);
        let code = code.or(self.without_status);
        clean_trailers(&mut trailers);
        self.forward
            .exchange
            .edit_trailers(&mut Draft(&mut trailers));
        match self.to.send_trailers(trailers) {
            Ok(()) => End::Complete { code },
            Err(_) => End::ClientLeft,
        }
    }

    /// Ends a body for want of time: a gRPC call with a status, if its client takes what is sent.
    fn cut(&mut self, reason: Reason) {
        if self.relay.is_blocked || !self.forward.is_grpc {
            return self.to.send_reset(Code::CANCEL);
        }
        let answer = self.forward.exchange.cut_by(reason);
        // A client that left needs no status.
        let _ = self.to.send_trailers(answer::trailers(&answer));
    }
}
