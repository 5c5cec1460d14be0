//! A call to one of the control plane's other servers, passed on as it comes, in both directions.

use std::future::poll_fn;
use std::rc::Rc;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};

use crate::backend::Backend;
use crate::status::{self, Code, Status};

/// Relays one call to its end; whoever leaves it takes the other along.
pub(crate) async fn relay(
    backend: Rc<Backend>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let (head, body) = request.into_parts();
    let is_whole = body.is_end_stream();
    let head = Request::from_parts(head, ());
    let Some((response, upload)) = backend.send(&head, is_whole).await else {
        let reason = "the control plane does not answer; try another one, or later";
        return status::refuse(&mut respond, &Status::new(Code::Unavailable, reason));
    };
    let gone = async {
        if is_whole || !matches!(pump(body, upload).await, Err(Broken::Sender)) {
            std::future::pending::<()>().await; // who takes no more may have answered: that decides
        }
    };
    tokio::select! {
        () = download(response, respond) => {}
        () = gone => {}
    }
}

/// The answer, to its end.
async fn download(response: ResponseFuture, mut respond: SendResponse<Bytes>) {
    let answer = tokio::select! {
        answer = response => answer,
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
    };
    match answer {
        Ok(answer) => {
            let (head, body) = answer.into_parts();
            // A head with a status is all there is, also where a reset after it hides that (gRPC over HTTP/2,
            // Trailers-Only).
            let is_whole = body.is_end_stream() || head.headers.contains_key(status::STATUS);
            let sender = respond.send_response(Response::from_parts(head, ()), is_whole);
            if let Ok(sender) = sender
                && !is_whole
            {
                let _ = pump(body, sender).await;
            }
        }
        Err(error) => respond.send_reset(error.reason().unwrap_or(Reason::CANCEL)),
    }
}

/// Who ended a direction early.
enum Broken {
    /// Whose message it is.
    Sender,
    /// Whom it is for.
    Receiver,
}

/// Passes one direction on, no faster than it is read.
async fn pump(mut from: RecvStream, mut to: SendStream<Bytes>) -> Result<(), Broken> {
    loop {
        let piece = tokio::select! {
            piece = from.data() => piece,
            _ = poll_fn(|cx| to.poll_reset(cx)) => return Err(Broken::Receiver),
        };
        match piece {
            Some(Ok(piece)) => {
                let length = piece.len();
                send(&mut to, piece).await?;
                from.flow_control()
                    .release_capacity(length)
                    .map_err(|_| Broken::Sender)?;
            }
            Some(Err(error)) => {
                to.send_reset(error.reason().unwrap_or(Reason::CANCEL));
                return Err(Broken::Sender);
            }
            None => return finish(from, to).await,
        }
    }
}

async fn finish(mut from: RecvStream, mut to: SendStream<Bytes>) -> Result<(), Broken> {
    let ended = match from.trailers().await {
        Ok(Some(trailers)) => to.send_trailers(trailers),
        Ok(None) => to.send_data(Bytes::new(), true),
        Err(_) => return Err(Broken::Sender),
    };
    ended.map_err(|_| Broken::Receiver)
}

async fn send(to: &mut SendStream<Bytes>, mut piece: Bytes) -> Result<(), Broken> {
    while !piece.is_empty() {
        to.reserve_capacity(piece.len());
        let capacity = to.capacity().min(piece.len());
        if capacity > 0 {
            to.send_data(piece.split_to(capacity), false)
                .map_err(|_| Broken::Receiver)?;
        } else if !matches!(poll_fn(|cx| to.poll_capacity(cx)).await, Some(Ok(_))) {
            return Err(Broken::Receiver);
        }
    }
    Ok(())
}
