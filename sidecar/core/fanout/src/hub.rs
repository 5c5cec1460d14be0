//! What all connections of a front share, and its orders.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use slab::Slab;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::backend::Backend;
use crate::inbox::{Inbox, StreamId};
use crate::orders::Order;
use crate::outbox::{Outbox, Task};
use crate::settings::{Lifetimes, Settings};
use crate::tls::Shown;
use crate::vigil::{LOOKS, Vigil};

/// What encrypts connections, and what it shows.
pub(crate) struct Encryption {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) shown: Arc<Shown>,
}

/// One front.
pub(crate) struct Hub {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) encryption: Option<Encryption>,
    pub(crate) leaving: watch::Sender<bool>,
    pub(crate) cuts: watch::Sender<()>,
    pub(crate) backend: Rc<Backend>,
    settings: Settings,
    streams: RefCell<Streams>,
}

/// The streams by their place; a place is taken anew, and its number is not.
#[derive(Default)]
struct Streams {
    places: Slab<(StreamId, Rc<Outbox>)>,
    begun: u64,
    parked: Vec<Rc<Outbox>>,
}

/// Bits of an id that say where a stream is; the others say which one.
const PLACE_BITS: u32 = 24;

impl Streams {
    fn find(&self, id: StreamId) -> Option<&Rc<Outbox>> {
        let (known, outbox) = self.places.get(place(id))?;
        (*known == id).then_some(outbox)
    }
}

fn place(id: StreamId) -> usize {
    usize::try_from(id & ((1 << PLACE_BITS) - 1)).unwrap_or(usize::MAX)
}

impl Hub {
    pub(crate) fn new(
        settings: Settings,
        inbox: Arc<Inbox>,
        encryption: Option<Encryption>,
    ) -> Rc<Self> {
        let backend = Rc::new(Backend::new(settings.backend.clone()));
        Rc::new(Self {
            inbox,
            encryption,
            leaving: watch::Sender::new(false),
            cuts: watch::Sender::new(()),
            settings,
            backend,
            streams: RefCell::default(),
        })
    }

    pub(crate) fn lifetimes(&self) -> Lifetimes {
        self.settings.lifetimes
    }

    /// Whether calls of this path open streams; all others are the backend's.
    pub(crate) fn opens(&self, path: &str) -> bool {
        path == self.settings.path
    }

    /// Cuts every connection whenever the control plane stands still, for clients to go where they are served.
    pub(crate) async fn keep_vigil(&self) -> Infallible {
        let mut vigil = Vigil::default();
        loop {
            sleep(self.lifetimes().standstill / LOOKS).await;
            if vigil.is_over(self.inbox.beats()) {
                self.cuts.send_replace(());
            }
        }
    }

    /// A place for one more stream.
    pub(crate) fn enter(&self) -> (StreamId, Rc<Outbox>) {
        let mut streams = self.streams.borrow_mut();
        streams.begun += 1;
        let begun = streams.begun;
        let entry = streams.places.vacant_entry();
        let place = u64::try_from(entry.key()).unwrap_or(u64::MAX);
        let id = begun << PLACE_BITS | place;
        let outbox = Rc::<Outbox>::default();
        entry.insert((id, Rc::clone(&outbox)));
        (id, outbox)
    }

    pub(crate) fn leave(&self, id: StreamId) {
        self.streams.borrow_mut().places.try_remove(place(id));
    }

    /// Has a stream woken once the inbox is emptied again; false when that happened since `emptied`.
    pub(crate) fn park(&self, outbox: &Rc<Outbox>, emptied: u64) -> bool {
        let waits = self.inbox.wait(emptied);
        if waits {
            self.streams.borrow_mut().parked.push(Rc::clone(outbox));
        }
        waits
    }

    /// Obeys until told to stop; how long those who are connected have to leave.
    pub(crate) async fn obey(&self, orders: &mut UnboundedReceiver<Order>) -> Duration {
        while let Some(order) = orders.recv().await {
            match order {
                Order::Accept(id) => self.put(id, Task::Accept),
                Order::Send(ids, message) => {
                    for id in ids {
                        self.put(id, Task::Send(message.clone()));
                    }
                }
                Order::End(id, status) => self.put(id, Task::End(status)),
                Order::Taken => {
                    for outbox in std::mem::take(&mut self.streams.borrow_mut().parked) {
                        outbox.wake();
                    }
                }
                Order::Show(key) => {
                    if let Some(encryption) = &self.encryption {
                        encryption.shown.replace(key);
                    }
                }
                Order::Stop(grace) => return grace,
            }
        }
        Duration::ZERO
    }

    fn put(&self, id: StreamId, task: Task) {
        if let Some(outbox) = self.streams.borrow().find(id) {
            outbox.put(task);
        }
    }
}
