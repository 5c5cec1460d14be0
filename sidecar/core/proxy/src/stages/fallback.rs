//! Fallback: an answer instead of a failure, always marked as one. To everything else the failure stays what it was.

use std::borrow::Cow;
use std::fmt::Write;

use http1::Known;
use policy::grpc::Code;

use super::Refusal;
use super::rescue::{Answer, proxy_status};
use crate::config::{Block, Fallback, Instead};

/// The field that marks an answer given instead of a failure.
pub(crate) const MARK: &str = "breakwater-fallback";
/// Bytes of a request's body that are kept, so that another service can be asked.
pub(crate) const REPLAY_BYTES: u64 = 65_536;

/// Whether a fallback stands in for a refusal: by what failed last, where it was given up.
pub(crate) fn covers(block: &Block<Fallback>, refusal: &Refusal) -> bool {
    let cause = refusal.last.unwrap_or(refusal.reason);
    block.params.when.cover(cause)
}

/// The same answer for all, if that is what a fallback gives and the client understands it.
pub(crate) fn answer(block: &Block<Fallback>, refusal: &Refusal, is_grpc: bool) -> Option<Answer> {
    let Instead::Response {
        status,
        headers,
        body,
    } = &block.params.instead
    else {
        return None;
    };
    let own = headers
        .iter()
        .map(|(name, value)| (Cow::Owned(name.to_string()), value.to_string()));
    let mut fields: Vec<_> = own.collect();
    fields.push((MARK.into(), mark(block, refusal)));
    fields.push((Known::ProxyStatus.as_str().into(), proxy_status(refusal)));
    if is_grpc {
        return grpc(*status, body, fields);
    }
    if !fields.iter().any(|(name, _)| name == "content-type") && !body.is_empty() {
        fields.push((
            "content-type".into(),
            "text/plain; charset=utf-8".to_owned(),
        ));
    }
    Some(Answer {
        status: *status,
        fields,
        body: body.to_string(),
    })
}

/// Trailers only, as a client would read the status had it come without any; no text is a message of gRPC, so there is
/// no answer that is none of a failure.
fn grpc(status: u16, body: &str, mut fields: Vec<(Cow<'static, str>, String)>) -> Option<Answer> {
    if status < 400 {
        return None;
    }
    fields.retain(|(name, _)| name != "content-type");
    let message: String = body.chars().map(as_message).collect();
    let code = Code::from_http_status(status).number().to_string();
    fields.push(("content-type".into(), "application/grpc".to_owned()));
    fields.push((Known::GrpcStatus.as_str().into(), code));
    fields.push((Known::GrpcMessage.as_str().into(), message));
    Some(Answer {
        status: 200,
        fields,
        body: String::new(),
    })
}

/// Whatever has no place in a field is left out.
const fn as_message(char: char) -> char {
    match char {
        ' '..='$' | '&'..='~' => char,
        _ => ' ',
    }
}

/// Says what failed, whose policy stood in for it, and which service did, if one did.
pub(crate) fn mark(block: &Block<Fallback>, refusal: &Refusal) -> String {
    let mut mark = refusal.reason.as_str().to_owned();
    // Writing to memory does not fail.
    if let Some(policy) = &block.policy {
        let _ = write!(mark, ";policy=\"{policy}\"");
    }
    if let Instead::Service(service) = &block.params.instead {
        let _ = write!(mark, ";service=\"{service}\"");
    }
    mark
}

#[cfg(test)]
mod tests;
