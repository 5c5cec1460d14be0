//! The sidecar's own answers in HTTP/2.

use ::h2::server::SendResponse;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http1::Known;

use super::parcel::Parcel;
use super::view::key;
use crate::stages::rescue::Answer;

/// Sends an answer, without its body if only the head was asked for.
pub(super) fn send(
    answer: &Answer,
    is_head: bool,
    respond: &mut SendResponse<Parcel>,
) -> Result<(), ::h2::Error> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
    *response.headers_mut() = fields(answer);
    if !answer.body.is_empty() {
        let length = HeaderValue::from(answer.body.len());
        response
            .headers_mut()
            .insert(key(Known::ContentLength), length);
    }
    let is_bare = is_head || answer.body.is_empty();
    let mut body = respond.send_response(response, is_bare)?;
    if !is_bare {
        let bytes = Bytes::copy_from_slice(answer.body.as_bytes());
        body.send_data(Parcel::free(bytes), true)?;
    }
    Ok(())
}

/// An answer as the trailers of one that had begun.
pub(super) fn trailers(answer: &Answer) -> HeaderMap {
    let mut fields = fields(answer);
    fields.remove(key(Known::ContentType));
    fields
}

fn fields(answer: &Answer) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(answer.fields.len() + 1);
    for (name, value) in &answer.fields {
        // What the stages say is text, and never refused.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            fields.append(name, value);
        }
    }
    fields
}
