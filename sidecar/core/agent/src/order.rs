//! An order to a sidecar that runs beside: to drain, over its admin socket.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::time::timeout;
use tonic::Status as Answer;
use tonic::body::Body;
use tower_service::Service;

use crate::departure::{Drain, OutboundUntil};
use crate::mesh::sidecar_admin_service_client::SidecarAdminServiceClient;
use crate::mesh::{self, DrainRequest};

/// Time for the whole exchange.
const EXCHANGE: Duration = Duration::from_secs(5);

/// Why an order was not taken.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// Nobody listens there, or we may not ask.
    #[error("{0}")]
    System(#[from] io::Error),
    /// What listens there does not speak HTTP/2.
    #[error("{0}")]
    Protocol(#[from] hyper::Error),
    /// It answered in another way.
    #[error("{}", .0.message())]
    Refused(#[from] Answer),
    /// It did not answer in time.
    #[error("no answer within {} s", EXCHANGE.as_secs())]
    Timeout(#[from] tokio::time::error::Elapsed),
}

/// Has the sidecar that serves `socket` drain, and returns how many requests are in flight there.
///
/// # Errors
/// The order was not taken.
pub fn order_drain(socket: &Path, drain: Drain) -> Result<u32, OrderError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { timeout(EXCHANGE, ask(socket, drain)).await? })
}

async fn ask(socket: &Path, drain: Drain) -> Result<u32, OrderError> {
    let stream = TokioIo::new(UnixStream::connect(socket).await?);
    let (requests, driver) = http2::handshake(TokioExecutor::new(), stream).await?;
    let driver = tokio::spawn(driver);
    let origin = Uri::from_static("http://sidecar");
    let mut client = SidecarAdminServiceClient::with_origin(Socket(requests), origin);
    let outbound_until: mesh::OutboundUntil = drain.outbound.into();
    let order = DrainRequest {
        timeout: drain
            .timeout
            .and_then(|timeout| prost_types::Duration::try_from(timeout).ok()),
        delay: prost_types::Duration::try_from(drain.delay).ok(),
        outbound_until: outbound_until.into(),
    };
    let answer = client.drain(order).await;
    driver.abort();
    Ok(answer?.into_inner().in_flight)
}

impl From<OutboundUntil> for mesh::OutboundUntil {
    fn from(until: OutboundUntil) -> Self {
        match until {
            OutboundUntil::Now => Self::Now,
            OutboundUntil::Signal => Self::Signal,
            OutboundUntil::Unused => Self::Unused,
        }
    }
}

/// Begins calls on the connection to a socket.
struct Socket(SendRequest<Body>);

impl Service<Request<Body>> for Socket {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
