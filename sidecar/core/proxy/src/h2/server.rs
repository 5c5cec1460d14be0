//! A client's connection: its streams, each a task of its own, and how it ends.

use std::rc::Rc;
use std::task::{Context, Poll};

use ::h2::server::{Connection, SendResponse};
use ::h2::{Reason, RecvStream};
use http::{Method, Request};
use tokio::task::spawn_local;

use super::forward::Forward;
use super::io::Prefixed;
use super::parcel::Parcel;
use super::session::Session;
use super::view::RequestView;
use super::window::Window;
use super::{LEAVE_NS, REST_NS, answer, check, server};
use crate::alarm::Alarm;
use crate::connections::Place;
use crate::request::Sender;
use crate::stages::rescue::Taste;
use crate::wire::Wire;
use crate::worker::{Entry, Worker};

/// A client's connection.
struct Server {
    connection: Connection<Prefixed, Parcel>,
    session: Rc<Session>,
    place: Place,
    window: Window,
    alarm: Alarm,
    /// Since when it carries no stream.
    rests_since_ns: Option<u64>,
    /// Since when the client is asked to leave.
    leaves_since_ns: Option<u64>,
    is_abused: bool,
}

/// Serves a connection whose first bytes were read, to its end.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    wire: Wire,
    entry: Rc<Entry>,
    sender: Sender,
    place: Place,
) {
    let io = Prefixed::new(wire.input, wire.stream);
    let Ok(connection) = server().handshake(io).await else {
        return;
    };
    let mut server = Server {
        connection,
        session: Session::new(worker, entry, sender),
        place,
        window: Window::default(),
        alarm: Alarm::default(),
        rests_since_ns: None,
        leaves_since_ns: None,
        is_abused: false,
    };
    std::future::poll_fn(|cx| server.poll(cx)).await;
}

impl Server {
    /// Ready when the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.session.watch(cx);
        if self.session.is_abused() && !self.is_abused {
            self.is_abused = true;
            self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        }
        if self.place.is_leaving() {
            self.ask_to_leave();
        }
        loop {
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => self.begin(request, respond),
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        if let Some(size) = self.window.grow(self.session.streams()) {
            self.connection.set_target_window_size(size);
        }
        self.place.watch(cx.waker());
        self.poll_rest(cx)
    }

    /// Ready when a client that was asked to leave, or whose last stream ended, stays for too long.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.session.rests() {
            self.rests_since_ns = None;
            return Poll::Pending;
        }
        let clock = self.session.worker.clock;
        let rests_since_ns = *self.rests_since_ns.get_or_insert_with(|| clock.now_ns());
        let until_ns = match self.leaves_since_ns {
            Some(since_ns) => since_ns.max(rests_since_ns).saturating_add(LEAVE_NS),
            None => rests_since_ns.saturating_add(REST_NS),
        };
        if self.alarm.poll(cx, &clock, Some(until_ns)).is_pending() {
            return Poll::Pending;
        }
        if self.leaves_since_ns.is_some() {
            return Poll::Ready(());
        }
        self.ask_to_leave();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Says that no further streams are taken; those that are open go on.
    fn ask_to_leave(&mut self) {
        if self.leaves_since_ns.is_none() {
            self.leaves_since_ns = Some(self.session.worker.clock.now_ns());
            self.connection.graceful_shutdown();
        }
    }

    fn begin(&self, request: Request<RecvStream>, mut respond: SendResponse<Parcel>) {
        let (mut head, body) = request.into_parts();
        match check::check(&mut head) {
            Ok(()) => {
                let forward = Forward::new(&self.session, head, body, respond);
                spawn_local(forward.run());
            }
            Err(cause) => {
                let session = &self.session;
                let taste = Taste::of(&RequestView {
                    head: &head,
                    sender: session.sender,
                });
                let direction = session.entry.direction();
                let why = (cause, cause.status());
                let refused = session.worker.refuse_malformed(direction, why, taste);
                let is_head = head.method == Method::HEAD;
                // A client that left needs no answer.
                let _ = answer::send(&refused, is_head, &mut respond);
            }
        }
    }
}
