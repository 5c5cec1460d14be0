//! What concerns this connection alone: the options of `Connection`, `Upgrade` and `TE` (RFC 9110 7.6.1).

use crate::framing::Version;
use crate::{Cause, Fields, Known, Span, chars, known};

/// Options read from `Connection` fields of one message; more are refused.
pub const MAX_OPTIONS: usize = 32;

/// What the options said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
}

/// Reads the options and marks the fields they nominate as hop-by-hop, but for protected ones.
pub(crate) fn read_options(buf: &[u8], fields: &mut Fields) -> Result<Options, Cause> {
    let mut options = Options::default();
    let mut nominated = 0;
    let all = fields.values(buf, Known::Connection).flat_map(chars::list);
    for (count, option) in all.enumerate() {
        if count >= MAX_OPTIONS {
            return Err(Cause::TooManyOptions);
        }
        match option {
            _ if option.eq_ignore_ascii_case(b"close") => options.close = true,
            _ if option.eq_ignore_ascii_case(b"keep-alive") => options.keep_alive = true,
            _ if option.eq_ignore_ascii_case(b"upgrade") => options.upgrade = true,
            _ if known::may_be_nominated(option) => nominated |= named(buf, fields, option),
            _ => {}
        }
    }
    fields.hop |= nominated;
    Ok(options)
}

fn named(buf: &[u8], fields: &Fields, name: &[u8]) -> u128 {
    fields
        .mask_where(|field| field.known.is_none() && field.name.of(buf).eq_ignore_ascii_case(name))
}

/// The `Upgrade` value to pass on: asked for by the option, once, and not to HTTP/2, which would carry
/// requests past every stage.
pub(crate) fn find_upgrade(
    buf: &[u8],
    fields: &Fields,
    options: Options,
    version: Version,
) -> Option<Span> {
    if !options.upgrade || version != Version::Http11 || fields.is_repeated(Known::Upgrade) {
        return None;
    }
    let value = fields.find(Known::Upgrade)?.value;
    let is_passable = !value.is_empty() && !chars::list(value.of(buf)).any(is_http2);
    is_passable.then_some(value)
}

fn is_http2(protocol: &[u8]) -> bool {
    let name = protocol.split(|&byte| byte == b'/').next().map(chars::trim);
    name.is_some_and(|name| {
        [&b"h2c"[..], b"h2", b"http"]
            .iter()
            .any(|other| name.eq_ignore_ascii_case(other))
    })
}

/// Whether the sender takes trailers.
pub(crate) fn takes_trailers(buf: &[u8], fields: &Fields) -> bool {
    fields
        .values(buf, Known::Te)
        .any(|value| known::lists(value, b"trailers"))
}
