//! An upstream that does as a test says, and logs what it saw.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::client::find;

/// A listener whose connections a script serves.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _serving: JoinSet<()>,
}

/// What an upstream saw.
#[derive(Default)]
struct Seen {
    connections: usize,
    requests: Vec<Request>,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// How many requests this upstream had seen before it.
    pub(crate) place: usize,
}

impl Request {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// One connection to an upstream.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) place: usize,
    buffer: Vec<u8>,
    seen: Arc<Mutex<Seen>>,
}

impl Upstream {
    /// Serves every connection by `script`.
    pub(crate) async fn scripted<F, S>(script: S) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        S: Fn(Connection) -> F + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let shared = Arc::clone(&seen);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let place = {
                    let mut seen = shared.lock().unwrap();
                    seen.connections += 1;
                    seen.connections - 1
                };
                let seen = Arc::clone(&shared);
                connections.spawn(script(Connection {
                    stream,
                    place,
                    buffer: Vec::new(),
                    seen,
                }));
            }
        });
        Self {
            address,
            seen,
            _serving: serving,
        }
    }

    /// Answers every request with what `answer` makes of it.
    pub(crate) async fn answering(
        answer: impl Fn(&Request) -> String + Send + Sync + 'static,
    ) -> Self {
        let answer = Arc::new(answer);
        Self::scripted(move |mut connection| {
            let answer = Arc::clone(&answer);
            async move {
                while let Some(request) = connection.request().await {
                    connection.send(answer(&request)).await;
                }
            }
        })
        .await
    }

    /// Answers every request with this status and `hello`.
    pub(crate) async fn with_status(status: u16) -> Self {
        Self::answering(move |_| response(status, "hello")).await
    }

    /// Answers one request with `hello` for each permit that is added.
    pub(crate) async fn gated() -> (Self, Arc<Semaphore>) {
        let gate = Arc::new(Semaphore::new(0));
        let shared = Arc::clone(&gate);
        let upstream = Self::scripted(move |mut connection| {
            let gate = Arc::clone(&shared);
            async move {
                while connection.request().await.is_some() {
                    gate.acquire().await.unwrap().forget();
                    connection.send(response(200, "hello")).await;
                }
            }
        });
        (upstream.await, gate)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().requests.clone()
    }

    pub(crate) fn calls(&self) -> usize {
        self.seen.lock().unwrap().requests.len()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }
}

/// A response with a body.
pub(crate) fn response(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Whatever\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

impl Connection {
    /// The next request, with its body; `None` at the end.
    pub(crate) async fn request(&mut self) -> Option<Request> {
        let head = self.head().await?;
        let mut request = Request {
            head,
            body: Vec::new(),
            place: 0,
        };
        if let Some(length) = request.field("content-length") {
            let length: usize = length.parse().unwrap();
            while self.buffer.len() < length {
                self.fill().await?;
            }
            request.body = self.buffer.drain(..length).collect();
        } else if request.field("transfer-encoding").is_some() {
            request.body = self.until(b"0\r\n\r\n").await?;
        }
        Some(self.log(request))
    }

    /// The next request's head alone.
    pub(crate) async fn head(&mut self) -> Option<String> {
        let head = self.until(b"\r\n\r\n").await?;
        Some(String::from_utf8(head).unwrap())
    }

    fn log(&self, mut request: Request) -> Request {
        let mut seen = self.seen.lock().unwrap();
        request.place = seen.requests.len();
        seen.requests.push(request.clone());
        request
    }

    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.buffer, end) {
                return Some(self.buffer.drain(..at + end.len()).collect());
            }
            self.fill().await?;
        }
    }

    /// `length` bytes of whatever is spoken.
    pub(crate) async fn bytes(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Some(self.buffer.drain(..length).collect())
    }

    /// Waits until the other side has ended.
    pub(crate) async fn end(&mut self) {
        while self.fill().await.is_some() {}
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A sidecar that hung up is what some tests want.
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    async fn fill(&mut self) -> Option<()> {
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(1..) => Some(()),
            _ => None,
        }
    }
}
