//! gRPC on HTTP/2, as little as a fleet needs: one connection a sidecar, and streams of messages on it.

use std::{io, net::SocketAddr, time::Duration};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::client::{self, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use prost::Message;
use tokio::task::{JoinHandle, spawn_local};

use crate::socket::{Received, Socket};

/// Flow control windows of the real sidecar, bytes.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const PREFIX: usize = 5;

/// One connection to a control plane; ends with this.
pub struct Connection {
    requests: SendRequest<Bytes>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    pub async fn open(address: SocketAddr, received: Received) -> io::Result<Self> {
        let socket = Socket::connect(address, received).await?;
        let (requests, connection) = client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .enable_push(false)
            .handshake(socket)
            .await
            .map_err(io::Error::other)?;
        let driver = spawn_local(async { drop(connection.await) }); // its streams say why it ended
        Ok(Self { requests, driver })
    }

    /// Opens a stream of a method, `/mesh.v1.Service/Method`.
    pub async fn call(&self, method: &str) -> io::Result<Call> {
        let request = Request::post(format!("http://controlplane{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .map_err(io::Error::other)?;
        let mut requests = self
            .requests
            .clone()
            .ready()
            .await
            .map_err(io::Error::other)?;
        let (answer, sending) = requests
            .send_request(request, false)
            .map_err(io::Error::other)?;
        Ok(Call {
            sending,
            answer: Some(answer),
            body: None,
            unread: BytesMut::new(),
        })
    }
}

/// One stream, in both directions.
pub struct Call {
    sending: SendStream<Bytes>,
    answer: Option<ResponseFuture>,
    body: Option<RecvStream>,
    unread: BytesMut,
}

impl Call {
    pub fn send(&mut self, message: &impl Message) -> io::Result<()> {
        let size = message.encoded_len();
        let mut frame = BytesMut::with_capacity(PREFIX + size);
        frame.put_u8(0);
        frame.put_u32(size as u32);
        message.encode(&mut frame).map_err(io::Error::other)?;
        self.sending
            .send_data(frame.freeze(), false)
            .map_err(io::Error::other)
    }

    /// Returns once the server answered at all.
    pub async fn opened(&mut self) -> io::Result<()> {
        if let Some(answer) = self.answer.take() {
            let response = answer.await.map_err(io::Error::other)?;
            refuse(response.headers())?;
            self.body = Some(response.into_body());
        }
        Ok(())
    }

    /// The next message; a stream that the server ends is an error.
    pub async fn next<M: Message + Default>(&mut self) -> io::Result<M> {
        self.opened().await?;
        loop {
            if let Some(message) = self.take_message()? {
                return Ok(message);
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> io::Result<()> {
        let body = self.body.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        match body.data().await {
            Some(chunk) => {
                let chunk = chunk.map_err(io::Error::other)?;
                body.flow_control()
                    .release_capacity(chunk.len())
                    .map_err(io::Error::other)?;
                self.unread.extend_from_slice(&chunk);
                Ok(())
            }
            None => {
                let trailers = body.trailers().await.map_err(io::Error::other)?;
                refuse(&trailers.unwrap_or_default())?;
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
    }

    fn take_message<M: Message + Default>(&mut self) -> io::Result<Option<M>> {
        let Some(mut head) = self.unread.get(..PREFIX) else {
            return Ok(None);
        };
        head.advance(1); // nothing is compressed
        let size = head.get_u32() as usize;
        if self.unread.len() < PREFIX + size {
            return Ok(None);
        }
        self.unread.advance(PREFIX);
        let message = M::decode(self.unread.split_to(size).freeze()).map_err(io::Error::other)?;
        if self.unread.is_empty() {
            self.unread = BytesMut::new(); // a fleet waits with nothing in its hands
        }
        Ok(Some(message))
    }
}

/// Headers or trailers that say the call failed.
fn refuse(headers: &HeaderMap) -> io::Result<()> {
    match headers.get("grpc-status") {
        Some(status) if status != "0" => Err(io::Error::other(format!(
            "status {status:?}: {:?}",
            headers.get("grpc-message")
        ))),
        _ => Ok(()),
    }
}

/// How long a lost sidecar waits before it connects again.
pub const REST: Duration = Duration::from_millis(250);
