//! An upstream whose calls a script answers, and which counts what it saw.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::request::Parts;
use http::{HeaderMap, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{fields, read};

/// A listener whose calls a script answers.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    heads: Vec<Parts>,
    bodies: Vec<Vec<u8>>,
    resets: Vec<h2::Reason>,
}

/// One call.
pub(crate) struct Call {
    pub(crate) head: Parts,
    pub(crate) body: RecvStream,
    pub(crate) respond: SendResponse<Bytes>,
    /// How many calls this upstream had seen before it.
    pub(crate) place: usize,
    seen: Arc<Mutex<Seen>>,
}

impl Upstream {
    /// Answers every call by `script`.
    pub(crate) async fn scripted<F, S>(script: S) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        S: Fn(Call) -> F + Send + Sync + 'static,
    {
        Self::with(Builder::new(), script).await
    }

    pub(crate) async fn with<F, S>(builder: Builder, script: S) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        S: Fn(Call) -> F + Send + Sync + 'static,
    {
        let script = Arc::new(script);
        Self::serving(move |stream, seen| serve(builder.clone(), stream, seen, Arc::clone(&script)))
            .await
    }

    /// Serves every connection by `script`.
    pub(crate) async fn connections<F, S>(script: S) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        S: Fn(TcpStream) -> F + Send + Sync + 'static,
    {
        Self::serving(move |stream, _| script(stream)).await
    }

    async fn serving<F, S>(script: S) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        S: Fn(TcpStream, Arc<Mutex<Seen>>) -> F + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let shared = Arc::clone(&seen);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                connections.spawn(script(stream, Arc::clone(&shared)));
            }
        });
        Self {
            address,
            seen,
            _serving: serving,
        }
    }

    /// Answers every call with `answer`, once it has read it whole.
    pub(crate) async fn answering(status: &'static str, body: &'static str) -> Self {
        Self::scripted(move |mut call| async move {
            call.read().await;
            call.answer(status, body);
        })
        .await
    }

    pub(crate) fn connections_seen(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// How many calls came.
    pub(crate) fn calls(&self) -> usize {
        self.seen.lock().unwrap().heads.len()
    }

    pub(crate) fn heads(&self) -> Vec<Parts> {
        self.seen.lock().unwrap().heads.clone()
    }

    /// The bodies that were read whole.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        self.seen.lock().unwrap().bodies.clone()
    }

    /// With what calls that waited for it were reset.
    pub(crate) fn resets(&self) -> Vec<h2::Reason> {
        self.seen.lock().unwrap().resets.clone()
    }
}

async fn serve<F, S>(builder: Builder, stream: TcpStream, seen: Arc<Mutex<Seen>>, script: Arc<S>)
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(Call) -> F + Send + Sync + 'static,
{
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else {
        return;
    };
    let mut calls = JoinSet::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (head, body) = request.into_parts();
        let place = {
            let mut seen = seen.lock().unwrap();
            seen.heads.push(head.clone());
            seen.heads.len() - 1
        };
        calls.spawn(script(Call {
            head,
            body,
            respond,
            place,
            seen: Arc::clone(&seen),
        }));
    }
}

impl Call {
    /// Reads the body whole.
    pub(crate) async fn read(&mut self) -> Option<HeaderMap> {
        let body = read(&mut self.body).await.ok()?;
        self.seen.lock().unwrap().bodies.push(body);
        self.body.trailers().await.ok()?
    }

    /// Begins a gRPC answer.
    pub(crate) fn begin(&mut self) -> h2::SendStream<Bytes> {
        let response = Response::builder().header("content-type", "application/grpc");
        self.respond
            .send_response(response.body(()).unwrap(), false)
            .unwrap()
    }

    /// Answers with a body, and a gRPC status in the trailers.
    pub(crate) fn answer(&mut self, status: &'static str, body: &'static str) {
        let mut stream = self.begin();
        stream
            .send_data(Bytes::from_static(body.as_bytes()), false)
            .unwrap();
        stream
            .send_trailers(fields(&[("grpc-status", status)]))
            .unwrap();
    }

    /// Answers with these fields alone.
    pub(crate) fn answer_bare(&mut self, pairs: &[(&'static str, &'static str)]) {
        let mut response = Response::new(());
        *response.headers_mut() = fields(pairs);
        self.respond.send_response(response, true).unwrap();
    }

    /// Waits until the caller resets the call.
    pub(crate) async fn reset(&mut self) {
        if let Ok(reason) = std::future::poll_fn(|cx| self.respond.poll_reset(cx)).await {
            self.seen.lock().unwrap().resets.push(reason);
        }
    }
}
