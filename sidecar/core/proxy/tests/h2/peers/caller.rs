//! A client that calls over one connection, and reads answers to their last trailer.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::{read, write};
use crate::support::soon;

pub(crate) struct Caller {
    pub(crate) send: SendRequest<Bytes>,
    pub(crate) connection: JoinHandle<Result<(), h2::Error>>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Answer {
    /// The value of a field of the head.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.to_str().unwrap())
    }

    /// The gRPC status, wherever it stands.
    pub(crate) fn grpc_status(&self) -> Option<&str> {
        let trailers = self
            .trailers
            .as_ref()
            .and_then(|trailers| trailers.get("grpc-status"));
        let status = trailers.or(self.fields.get("grpc-status"));
        status.map(|value| value.to_str().unwrap())
    }
}

/// A gRPC call of `cart`.
pub(crate) fn grpc() -> Request<()> {
    let request = Request::post("http://cart/shop.Cart/Get");
    let request = request
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    request.body(()).unwrap()
}

impl Caller {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::with(address, h2::client::Builder::new()).await
    }

    pub(crate) async fn with(address: SocketAddr, builder: h2::client::Builder) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (send, connection) = builder.handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        Self { send, connection }
    }

    /// Begins a call.
    pub(crate) async fn open(&self, request: Request<()>) -> (ResponseFuture, SendStream<Bytes>) {
        let mut send = self.send.clone().ready().await.unwrap();
        send.send_request(request, false).unwrap()
    }

    /// Calls with a whole body, and reads the whole answer.
    pub(crate) async fn call(
        &self,
        request: Request<()>,
        body: impl Into<Bytes>,
    ) -> Result<Answer, h2::Error> {
        soon(async {
            let body = body.into();
            let mut send = self.send.clone().ready().await?;
            let (response, mut stream) = send.send_request(request, body.is_empty())?;
            if !body.is_empty() {
                let sent = async {
                    write(&mut stream, body).await?;
                    stream.send_data(Bytes::new(), true)
                };
                // An answer may come before the body is wanted.
                let _ = sent.await;
            }
            whole(response).await
        })
        .await
    }

    /// Calls `cart` by gRPC.
    pub(crate) async fn grpc(&self) -> Answer {
        self.call(grpc(), "question").await.unwrap()
    }

    /// Asks `cart` for a path.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(format!("http://cart{path}")).body(()).unwrap();
        self.call(request, "").await.unwrap()
    }
}

/// Reads an answer to its end.
pub(crate) async fn whole(response: ResponseFuture) -> Result<Answer, h2::Error> {
    let (head, mut body) = response.await?.into_parts();
    Ok(Answer {
        status: head.status.as_u16(),
        fields: head.headers,
        body: read(&mut body).await?,
        trailers: trailers(&mut body).await?,
    })
}

async fn trailers(body: &mut RecvStream) -> Result<Option<HeaderMap>, h2::Error> {
    body.trailers().await
}
