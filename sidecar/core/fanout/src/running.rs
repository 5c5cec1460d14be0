//! The front's thread, and how the control plane reaches it.

use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::error::{Error, Kind};
use crate::hub::{Encryption, Hub};
use crate::inbox::{Event, Inbox, StreamId};
use crate::listen::{accept, bind};
use crate::message::frame;
use crate::orders::Order;
use crate::settings::Settings;
use crate::status::Status;
use crate::tls;

/// A front that runs; it ends when it is told to, or dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    inbox: Arc<Inbox>,
    orders: UnboundedSender<Order>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Starts a front, encrypted if it is given a certificate and its key in PEM.
///
/// # Errors
///
/// The address cannot be listened on, or the certificate cannot be used.
pub fn start(settings: Settings, shown: Option<(&[u8], &[u8])>) -> Result<Running, Error> {
    let encryption = shown
        .map(|(certificate, key)| encryption(certificate, key))
        .transpose()?;
    let listener = bind(&settings.address).map_err(Kind::Listen)?;
    let address = listener.local_addr().map_err(Kind::Listen)?;
    let inbox = Arc::new(Inbox::new().map_err(Kind::Start)?);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Kind::Start)?;
    let (orders, received) = unbounded_channel();
    let (hubs, own) = (Arc::clone(&inbox), settings);
    let thread = thread::Builder::new()
        .name("fanout".to_owned())
        .spawn(move || serve(&runtime, listener, received, own, hubs, encryption))
        .map_err(Kind::Start)?;
    Ok(Running {
        address,
        inbox,
        orders,
        thread: Mutex::new(Some(thread)),
    })
}

fn encryption(certificate: &[u8], key: &[u8]) -> Result<Encryption, Error> {
    let shown = tls::Shown::new(tls::read(certificate, key)?);
    let acceptor = tls::acceptor(Arc::clone(&shown))?;
    Ok(Encryption { acceptor, shown })
}

/// The whole life of the thread.
fn serve(
    runtime: &Runtime,
    listener: std::net::TcpListener,
    mut orders: UnboundedReceiver<Order>,
    settings: Settings,
    inbox: Arc<Inbox>,
    encryption: Option<Encryption>,
) {
    let most = settings.connections;
    let hub = Hub::new(settings, inbox, encryption);
    LocalSet::new().block_on(runtime, async {
        let Ok(listener) = TcpListener::from_std(listener) else {
            return;
        };
        let places = Arc::new(Semaphore::new(
            usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS),
        ));
        let grace = tokio::select! {
            grace = hub.obey(&mut orders) => grace,
            () = accept(&hub, &listener, &places) => return,
            never = hub.keep_vigil() => match never {},
        };
        drop(listener);
        hub.leaving.send_replace(true);
        tokio::select! {
            _ = timeout(grace, places.acquire_many(most)) => {}
            _ = hub.obey(&mut orders) => {}
        }
    });
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A descriptor that is readable when there is something to take.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.inbox.descriptor()
    }

    /// Whether it carries nothing any more: it was stopped, or has failed.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.orders.is_closed()
    }

    /// The control plane goes on: from the first time, it is taken to stand still when it does not say so.
    pub fn beat(&self) {
        self.inbox.beat();
    }

    /// All that happened since.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        let (events, is_awaited) = self.inbox.take();
        if is_awaited {
            self.tell(Order::Taken);
        }
        events
    }

    /// Tells a client that it is connected.
    pub fn accept(&self, stream: StreamId) {
        self.tell(Order::Accept(stream));
    }

    /// Sends the same message to many clients; none to those that left.
    pub fn send(&self, streams: Vec<StreamId>, message: &[u8]) {
        if let Some(message) = frame(message) {
            self.tell(Order::Send(streams, message));
        }
    }

    /// Ends a stream with a status of gRPC.
    pub fn end(&self, stream: StreamId, code: u8, reason: &str) {
        self.tell(Order::End(stream, Status::of(code, reason)));
    }

    /// Shows another certificate to whoever connects from now on.
    ///
    /// # Errors
    ///
    /// It cannot be used; the one before stays.
    pub fn show(&self, certificate: &[u8], key: &[u8]) -> Result<(), Error> {
        self.tell(Order::Show(tls::read(certificate, key)?));
        Ok(())
    }

    /// Asks everybody to leave, and returns once they have or the time is over.
    pub fn stop(&self, grace: Duration) {
        self.tell(Order::Stop(grace));
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // One that panicked is over, too.
            let _ = thread.join();
        }
    }

    fn tell(&self, order: Order) {
        // A front that has ended carries nothing any more.
        let _ = self.orders.send(order);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}
