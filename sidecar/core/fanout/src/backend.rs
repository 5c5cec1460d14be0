//! The connection to the control plane's other servers, which all relayed calls share.

use std::cell::RefCell;
use std::path::PathBuf;

use bytes::Bytes;
use h2::SendStream;
use h2::client::{Builder, ResponseFuture, SendRequest};
use http::Request;
use tokio::net::UnixStream;
use tokio::task::spawn_local;

/// Bytes of one answer that a slow client may leave with us.
const STREAM_WINDOW: u32 = 64 << 10;
/// No bound of its own: slow clients hold up nobody else.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// The servers say how many calls they take; until then this holds.
const FIRST_CALLS: usize = 1_000;

/// Where relayed calls go.
#[derive(Debug)]
pub(crate) struct Backend {
    path: PathBuf,
    sender: RefCell<Option<SendRequest<Bytes>>>,
}

impl Backend {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self {
            path,
            sender: RefCell::new(None),
        }
    }

    /// Makes a call, if need be on a new connection.
    pub(crate) async fn send(
        &self,
        head: &Request<()>,
        is_whole: bool,
    ) -> Option<(ResponseFuture, SendStream<Bytes>)> {
        let known = self.sender.borrow().clone();
        if let Some(sender) = known
            && let Ok(call) = call(sender, head, is_whole).await
        {
            return Some(call);
        }
        let sender = self.connect().await?;
        self.sender.replace(Some(sender.clone()));
        call(sender, head, is_whole).await.ok()
    }

    async fn connect(&self) -> Option<SendRequest<Bytes>> {
        let socket = UnixStream::connect(&self.path).await.ok()?;
        let (sender, connection) = Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_max_send_streams(FIRST_CALLS)
            .enable_push(false)
            .handshake(socket)
            .await
            .ok()?;
        spawn_local(async move {
            // Its calls say that it is over.
            let _ = connection.await;
        });
        Some(sender)
    }
}

async fn call(
    sender: SendRequest<Bytes>,
    head: &Request<()>,
    is_whole: bool,
) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
    sender.ready().await?.send_request(head.clone(), is_whole)
}
