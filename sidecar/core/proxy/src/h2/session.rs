//! A client's connection as its streams see it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::patience::Patience;
use crate::alarm::Alarm;
use crate::request::Sender;
use crate::worker::{Entry, Worker};

/// Timers kept for the next streams.
const KEPT_ALARMS: usize = 16;

/// What the streams of one connection share.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) worker: Rc<Worker>,
    pub(super) entry: Rc<Entry>,
    pub(super) sender: Sender,
    streams: Cell<usize>,
    patience: RefCell<Patience>,
    alarms: RefCell<Vec<Alarm>>,
    /// The connection's own task.
    waker: RefCell<Option<Waker>>,
}

/// One stream of a connection; dropping it ends that.
#[derive(Debug)]
pub(super) struct Presence {
    pub(super) session: Rc<Session>,
    alarm: Alarm,
    began_ns: u64,
    has_ended: bool,
}

impl Session {
    pub(super) fn new(worker: Rc<Worker>, entry: Rc<Entry>, sender: Sender) -> Rc<Self> {
        Rc::new(Self {
            worker,
            entry,
            sender,
            streams: Cell::new(0),
            patience: RefCell::default(),
            alarms: RefCell::default(),
            waker: RefCell::default(),
        })
    }

    /// Begins a stream.
    pub(super) fn enter(self: &Rc<Self>) -> Presence {
        self.streams.set(self.streams.get() + 1);
        Presence {
            session: Rc::clone(self),
            alarm: self.alarms.borrow_mut().pop().unwrap_or_default(),
            began_ns: self.worker.clock.now_ns(),
            has_ended: false,
        }
    }

    /// Has the task woken when a stream ends whose end matters to the connection.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        match &mut *self.waker.borrow_mut() {
            Some(waker) => waker.clone_from(cx.waker()),
            waker => *waker = Some(cx.waker().clone()),
        }
    }

    /// How many streams it carries.
    pub(super) const fn streams(&self) -> usize {
        self.streams.get()
    }

    /// Whether it carries no stream.
    pub(super) const fn rests(&self) -> bool {
        self.streams.get() == 0
    }

    /// Whether the client reset more streams than anybody would in good faith.
    pub(super) fn is_abused(&self) -> bool {
        self.patience.borrow().is_over()
    }
}

impl Presence {
    pub(super) fn now_ns(&self) -> u64 {
        self.session.worker.clock.now_ns()
    }

    /// Ready when `at_ns` is over.
    pub(super) fn poll_alarm(&mut self, cx: &mut Context<'_>, at_ns: Option<u64>) -> Poll<()> {
        self.alarm.poll(cx, &self.session.worker.clock, at_ns)
    }

    /// The stream ended by itself: its client did not leave.
    pub(super) const fn ended(&mut self) {
        self.has_ended = true;
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let session = &self.session;
        session.streams.set(session.streams.get() - 1);
        let mut patience = session.patience.borrow_mut();
        match self.has_ended {
            true => patience.on_end(),
            false => {
                let now_ns = session.worker.clock.now_ns();
                patience.on_leave(now_ns.saturating_sub(self.began_ns));
            }
        }
        let mut alarms = session.alarms.borrow_mut();
        if alarms.len() < KEPT_ALARMS {
            alarms.push(std::mem::take(&mut self.alarm));
        }
        let matters = session.rests() || patience.is_over();
        if let Some(waker) = session.waker.borrow().as_ref().filter(|_| matters) {
            waker.wake_by_ref();
        }
    }
}
