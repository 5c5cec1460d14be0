//! One connection to a control plane: the calls it bears, and the moment from which it takes no more.
//!
//! It never comes back by itself. All streams of a session share it, and go over to the next one together.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tonic::Status as Answer;
use tonic::body::Body;
use tower_service::Service;

use crate::addresses::Target;
use crate::secure::{self, bearer, encrypt};
use crate::settings::Trust;

/// Flow control windows, bytes: small, since messages are.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// How long a connection may take to answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Time to establish it.
    pub(crate) connect: Duration,
    /// A silent one is probed this often, and is dead without an answer in this time.
    pub(crate) probe: Duration,
    pub(crate) answer: Duration,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no connection within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    #[error("{0}")]
    System(#[from] std::io::Error),
    #[error("{0}")]
    Protocol(#[from] hyper::Error),
    #[error("{0}")]
    Security(#[from] secure::Error),
}

/// How a connection came to take no more calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The control plane asked us to leave, or closed it in good order.
    Resigned,
    /// It broke, or fell silent.
    Broken(String),
}

impl From<&Ending> for Answer {
    fn from(ending: &Ending) -> Self {
        match ending {
            Ending::Resigned => Self::unavailable("the control plane takes no more calls"),
            Ending::Broken(reason) => Self::unavailable(reason.as_str()),
        }
    }
}

/// Begins calls on a connection; as cheap to clone as a pointer.
#[derive(Clone)]
pub(crate) struct Connection {
    requests: SendRequest<Body>,
    scheme: Scheme,
    authority: Authority,
    token: Option<Arc<Path>>,
    pub(crate) address: SocketAddr,
    /// Address of ours that reaches it.
    pub(crate) own_address: IpAddr,
}

/// Connects to `target` as `trust` says; the future drives the connection, and tells when it takes no more calls.
pub(crate) async fn connect(
    target: &Target,
    trust: &Trust,
    patience: Patience,
) -> Result<(Connection, impl Future<Output = Ending> + use<>), Error> {
    let opened = timeout(patience.connect, open(target, trust.ca.as_deref()));
    let (stream, own_address) = opened
        .await
        .map_err(|_| Error::Timeout(patience.connect))??;
    let moved = Moved::default();
    let (requests, driver) = http2::Builder::new(moved.clone())
        .timer(TokioTimer::new())
        .keep_alive_interval(patience.probe)
        .keep_alive_timeout(patience.answer)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(TokioIo::new(stream))
        .await?;
    let connection = Connection {
        requests,
        scheme: trust.ca.as_ref().map_or(Scheme::HTTP, |_| Scheme::HTTPS),
        authority: target.authority.clone(),
        token: trust.token.as_deref().map(Arc::from),
        address: target.address,
        own_address,
    };
    Ok((connection, drive(driver, moved)))
}

/// What carries a connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A way to `target`, encrypted when there is a file of trust roots; and the address of ours that it leads from.
async fn open(target: &Target, ca: Option<&Path>) -> Result<(Box<dyn Stream>, IpAddr), Error> {
    let stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    let own_address = stream.local_addr()?.ip();
    let stream: Box<dyn Stream> = match ca {
        Some(ca) => Box::new(encrypt(stream, &target.authority, ca).await?),
        None => Box::new(stream),
    };
    Ok((stream, own_address))
}

/// Polls `driver` whenever a part of the connection has moved: by itself it wakes for calls alone, and would see a
/// GOAWAY only when the next one begins.
async fn drive(driver: impl Future<Output = hyper::Result<()>>, moved: Moved) -> Ending {
    let mut driver = pin!(driver);
    loop {
        tokio::select! {
            ended = &mut driver => return match ended {
                Ok(()) => Ending::Resigned,
                Err(error) => Ending::Broken(error.to_string()),
            },
            () = moved.0.notified() => {}
        }
    }
}

/// Runs the parts of a connection, and says whenever one of them has moved.
#[derive(Clone, Default)]
struct Moved(Arc<Notify>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Moved {
    fn execute(&self, part: F) {
        let moved = self.0.clone();
        tokio::spawn(async move {
            let mut part = pin!(part);
            std::future::poll_fn(|context| {
                let polled = part.as_mut().poll(context);
                moved.notify_one();
                polled
            })
            .await;
        });
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Incoming>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.requests.poll_ready(context).map_err(Error::from)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default(); // every call has a path
        let (mut requests, token) = (self.requests.clone(), self.token.clone());
        Box::pin(async move {
            if let Some(token) = token {
                request
                    .headers_mut()
                    .insert(AUTHORIZATION, bearer(&token).await?);
            }
            Ok(requests.send_request(request).await?)
        })
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Connection({}, {})",
            self.authority, self.address
        )
    }
}

#[cfg(test)]
mod tests;
