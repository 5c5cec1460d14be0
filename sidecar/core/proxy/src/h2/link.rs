//! One connection to an upstream and the streams on it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ::h2::client::SendRequest;
use policy::Reason;
use policy::ending::Ending;
use tokio::sync::Notify;

use super::parcel::Parcel;
use super::{FIRST_STREAMS, UPSTREAM_STREAMS};
use crate::upstream::InUse;
use crate::upstream::{NoConnection, Retirement};

/// A connection to an upstream, from the moment that it is wanted.
#[derive(Debug)]
pub(super) struct Link {
    state: RefCell<State>,
    /// Tells when it is connected, or never will be.
    settled: Notify,
    is_retired: Cell<bool>,
    is_doubted: Cell<bool>,
    streams: Cell<usize>,
    served: Cell<u32>,
    born_ns: u64,
    /// Since when it carries no stream.
    rests_since_ns: Cell<u64>,
    /// Its place among the cluster's connections, while it carries streams.
    place: RefCell<Option<InUse>>,
}

#[derive(Debug)]
enum State {
    Connecting,
    Open(SendRequest<Parcel>),
    /// It takes no more streams.
    Over(NoConnection),
}

/// What whoever waits for a connection that went away is told.
const GONE: NoConnection = NoConnection::Failed(Ending::GoAway, Reason::UpstreamReset);

impl Link {
    pub(super) fn new(now_ns: u64) -> Rc<Self> {
        Rc::new(Self {
            state: RefCell::new(State::Connecting),
            settled: Notify::new(),
            is_retired: Cell::new(false),
            is_doubted: Cell::new(false),
            streams: Cell::new(0),
            served: Cell::new(0),
            born_ns: now_ns,
            rests_since_ns: Cell::new(now_ns),
            place: RefCell::default(),
        })
    }

    /// It is connected, or will not be.
    pub(super) fn settle(&self, connected: Result<SendRequest<Parcel>, NoConnection>) {
        self.state.replace(match connected {
            Ok(_) if self.is_retired.get() && self.rests() => State::Over(GONE),
            Ok(send) => State::Open(send),
            Err(why) => State::Over(why),
        });
        self.settled.notify_waiters();
    }

    /// Takes no more streams; closes when those that it carries have ended.
    pub(super) fn retire(&self) {
        self.is_retired.set(true);
        if self.rests() {
            self.close();
        }
    }

    /// Lets the connection go: nobody else holds on to it, so it says good-bye and ends.
    fn close(&self) {
        self.state.replace(State::Over(GONE));
    }

    /// A call waited in vain: is there anybody?
    pub(super) fn doubt(&self) {
        self.is_doubted.set(true);
    }

    /// Whether a call waited in vain since this was last asked.
    pub(super) fn take_doubt(&self) -> bool {
        self.is_doubted.take()
    }

    /// What requests are sent with, once it is connected.
    pub(super) async fn connected(&self) -> Result<SendRequest<Parcel>, NoConnection> {
        loop {
            match &*self.state.borrow() {
                State::Connecting => {}
                State::Open(send) => return Ok(send.clone()),
                State::Over(why) => return Err(*why),
            }
            self.settled.notified().await;
        }
    }

    /// How many more streams fit; none if it is not to be used again.
    pub(super) fn room(&self, retirement: &Retirement, now_ns: u64) -> usize {
        if self.is_due(retirement, now_ns) {
            return 0;
        }
        let most = match &mut *self.state.borrow_mut() {
            State::Connecting => FIRST_STREAMS,
            State::Open(send) => most_streams(send),
            State::Over(_) => 0,
        };
        most.saturating_sub(self.streams.get())
    }

    /// Whether it is to be kept: it may be used again, and has not rested for too long.
    pub(super) fn is_fit(&self, retirement: &Retirement, now_ns: u64) -> bool {
        let is_usable = match &mut *self.state.borrow_mut() {
            State::Connecting => true,
            State::Open(send) => is_ready(send),
            State::Over(_) => false,
        };
        let has_rested = self.rests() && retirement.has_rested(self.rests_since_ns.get(), now_ns);
        is_usable && !has_rested && !self.is_due(retirement, now_ns)
    }

    fn is_due(&self, retirement: &Retirement, now_ns: u64) -> bool {
        self.is_retired.get() || retirement.is_due(self.born_ns, self.served.get(), now_ns)
    }

    /// How many streams it carries.
    pub(super) const fn streams(&self) -> usize {
        self.streams.get()
    }

    /// Whether it carries no stream.
    pub(super) const fn rests(&self) -> bool {
        self.streams.get() == 0
    }

    pub(super) const fn rests_since_ns(&self) -> u64 {
        self.rests_since_ns.get()
    }

    /// Whether an exchange went over it before.
    pub(super) const fn is_used(&self) -> bool {
        self.served.get() > 0
    }

    /// Takes one stream more; the first one brings the place among the cluster's connections.
    pub(super) fn join(&self, place: Option<InUse>) {
        self.streams.set(self.streams.get() + 1);
        self.served.set(self.served.get().saturating_add(1));
        if place.is_some() {
            self.place.replace(place);
        }
    }

    /// Its place among the cluster's connections, for another one that is in use instead.
    pub(super) fn take_place(&self) -> Option<InUse> {
        self.place.take()
    }

    /// A stream ended. The last one gives the place back.
    pub(super) fn leave(&self, now_ns: u64) {
        self.streams.set(self.streams.get() - 1);
        if self.rests() {
            self.rests_since_ns.set(now_ns);
            self.place.take();
            if self.is_retired.get() {
                self.close();
            }
        }
    }
}

/// How many streams the upstream takes at once.
fn most_streams(send: &mut SendRequest<Parcel>) -> usize {
    match is_ready(send) {
        true => send.current_max_send_streams().min(UPSTREAM_STREAMS),
        false => 0,
    }
}

/// Whether the connection takes another stream: no error and no GOAWAY came.
fn is_ready(send: &mut SendRequest<Parcel>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    matches!(send.poll_ready(&mut cx), Poll::Ready(Ok(())))
}
