//! Requests that can be understood in one way only; what the `h2` crate lets pass and we do not.

use http::request::Parts;
use http::uri::{Authority as UriAuthority, PathAndQuery, Scheme};
use http::{Method, Uri};
use http1::{Authority, Cause, Known, Limits};

use super::view::key;
use super::{HEADER_LIST, MOST_FIELDS};

const DEFAULT_PORT: u16 = 80;
/// What a field counts for beside its name and value (RFC 9113 6.5.2).
const FIELD_BYTES: usize = 32;
/// The four fields that say what is asked of whom, without their values.
const PSEUDO_BYTES: usize = 4 * FIELD_BYTES + ":method:scheme:authority:path".len();

/// Checks a request's head, and puts the host it calls into its target, wherever that was written.
pub(super) fn check(head: &mut Parts) -> Result<(), Cause> {
    if head.headers.len() > MOST_FIELDS {
        return Err(Cause::TooManyFields);
    }
    check_size(head)?;
    let lengths = head.headers.get_all(key(Known::ContentLength));
    if lengths.iter().nth(1).is_some() {
        return Err(Cause::LengthRepeated);
    }
    check_target(head)?;
    let authority = authority(head)?;
    head.headers.remove(key(Known::Host));
    head.headers.remove(key(Known::Http2Settings));
    if let Some(authority) = authority {
        set_authority(head, authority)?;
    }
    Ok(())
}

/// Checks how long the head is, once decoded.
fn check_size(head: &Parts) -> Result<(), Cause> {
    let target = head.uri.path_and_query().map_or(0, |it| it.as_str().len());
    if target > Limits::default().target_bytes {
        return Err(Cause::TargetTooLong);
    }
    let authority = head.uri.authority().map_or(0, |it| it.as_str().len());
    let fields = head.headers.iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + FIELD_BYTES);
    let about = PSEUDO_BYTES + head.method.as_str().len() + "http".len() + authority + target;
    match about + fields.sum::<usize>() > HEADER_LIST as usize {
        true => Err(Cause::HeadTooLarge),
        false => Ok(()),
    }
}

fn check_target(head: &Parts) -> Result<(), Cause> {
    let target = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Cause::TargetByte);
    }
    let is_asterisk = target == "*" && head.method == Method::OPTIONS;
    let is_http = head
        .uri
        .scheme()
        .is_none_or(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
    match is_http && (target.starts_with('/') || is_asterisk) {
        true => Ok(()),
        false => Err(Cause::TargetForm),
    }
}

/// Checks whom the request calls; the authority that is written in `host` alone.
fn authority(head: &Parts) -> Result<Option<UriAuthority>, Cause> {
    let named = head.uri.authority().map(UriAuthority::as_str);
    let named = named
        .map(|text| Authority::parse(text.as_bytes()))
        .transpose()?;
    let mut hosts = head.headers.get_all(key(Known::Host)).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(Cause::HostRepeated);
    }
    let Some(value) = host else {
        return named.map(|_| None).ok_or(Cause::HostMissing);
    };
    let host = Authority::parse(value.as_bytes())?;
    match named {
        Some(named) if named.is_same(&host, DEFAULT_PORT) => Ok(None),
        Some(_) => Err(Cause::HostMismatch),
        None => UriAuthority::try_from(value.as_bytes())
            .map(Some)
            .map_err(|_| Cause::HostInvalid),
    }
}

/// Rebuilds the target: the library keeps no scheme without an authority.
fn set_authority(head: &mut Parts, authority: UriAuthority) -> Result<(), Cause> {
    let mut parts = std::mem::take(&mut head.uri).into_parts();
    parts.scheme = parts.scheme.or(Some(Scheme::HTTP));
    parts.authority = Some(authority);
    head.uri = Uri::from_parts(parts).map_err(|_| Cause::TargetForm)?;
    Ok(())
}

#[cfg(test)]
mod tests;
