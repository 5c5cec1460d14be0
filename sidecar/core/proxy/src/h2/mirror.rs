//! A copy of a request over HTTP/2: sent whole, its answer read and thrown away.

use std::convert::Infallible;
use std::rc::Rc;

use ::h2::{RecvStream, SendStream};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request};

use super::body::{end, poll_send};
use super::connect::connect;
use super::parcel::Parcel;
use crate::exchange::Destination;
use crate::stages::mirror::{Duplicate, Lost};
use crate::worker::Worker;

/// Bytes of an answer that are read before its stream is ended.
const MOST_READ: usize = 64 * 1024;

/// A request as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    pub(super) head: Parts,
    pub(super) body: Bytes,
    pub(super) trailers: Option<HeaderMap>,
}

impl Duplicate for Copy {
    fn body_bytes(&self) -> u64 {
        self.body.len() as u64
    }

    async fn send(self, worker: &Rc<Worker>, to: &Destination) -> Result<(), Lost> {
        let (mut send, _slot) = connect(worker, to, None).await.map_err(|_| Lost)?;
        let is_bare = self.body.is_empty() && self.trailers.is_none();
        let sent = send.send_request(Request::from_parts(self.head, ()), is_bare);
        let (response, request) = sent.map_err(|_| Lost)?;
        let answer = tokio::select! {
            biased;
            answer = response => answer.map_err(|_| Lost)?,
            never = send_body(self.body, self.trailers, request, is_bare) => match never {},
        };
        skip(answer.into_body()).await;
        Ok(())
    }
}

/// Sends the body and goes on holding the stream; what an upstream does not take, it may answer all the same.
async fn send_body(
    mut body: Bytes,
    trailers: Option<HeaderMap>,
    mut to: SendStream<Parcel>,
    is_bare: bool,
) -> Infallible {
    let is_last = trailers.is_none();
    let sent = std::future::poll_fn(|cx| poll_send(cx, &mut body, None, is_last, &mut to)).await;
    if sent.is_ok() && !is_last && !is_bare {
        let _ = end(trailers, &mut to);
    }
    std::future::pending().await
}

/// Reads an answer's body to its end, or until enough of it was read.
async fn skip(mut body: RecvStream) {
    let mut left = MOST_READ;
    while let Some(Ok(part)) = body.data().await {
        if part.len() >= left || body.flow_control().release_capacity(part.len()).is_err() {
            return;
        }
        left -= part.len();
    }
}
