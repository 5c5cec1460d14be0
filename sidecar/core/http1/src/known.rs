//! The field names the proxy looks at, found once while a head is parsed.

use crate::chars;

/// What a field name means to whoever forwards a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    /// About this connection alone: never forwarded as it came.
    Hop,
    /// Forwarded, and not to be stripped by naming it in `Connection`; never a trailer.
    Protected,
    /// The same of the sidecar's own (`breakwater-*`).
    Internal,
    /// Forwarded, protected, and welcome as a trailer.
    Trailer,
}

macro_rules! known {
    ($($variant:ident = $name:literal, $class:ident;)+) => {
        /// A field name that is looked for; its number is its place in [`Known::ALL`].
        #[allow(missing_docs, reason = "each variant is the name it stands for")]
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[repr(u8)]
        pub enum Known { $($variant,)+ }

        impl Known {
            /// Every known name.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            const NAMES: [&'static str; Self::COUNT] = [$($name,)+];

            pub(crate) const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)+ }
            }
        }
    };
}

known! {
    Connection = "connection", Hop;
    KeepAlive = "keep-alive", Hop;
    ProxyConnection = "proxy-connection", Hop;
    Te = "te", Hop;
    TransferEncoding = "transfer-encoding", Hop;
    Upgrade = "upgrade", Hop;
    Http2Settings = "http2-settings", Hop;

    Host = "host", Protected;
    ContentLength = "content-length", Protected;
    Expect = "expect", Protected;
    Trailer = "trailer", Protected;
    MaxForwards = "max-forwards", Protected;

    Authorization = "authorization", Protected;
    ProxyAuthorization = "proxy-authorization", Protected;
    ProxyAuthenticate = "proxy-authenticate", Protected;
    WwwAuthenticate = "www-authenticate", Protected;
    Cookie = "cookie", Protected;
    SetCookie = "set-cookie", Protected;
    XApiKey = "x-api-key", Protected;

    Forwarded = "forwarded", Protected;
    Via = "via", Protected;
    XForwardedFor = "x-forwarded-for", Protected;
    XForwardedHost = "x-forwarded-host", Protected;
    XForwardedProto = "x-forwarded-proto", Protected;
    XForwardedClientCert = "x-forwarded-client-cert", Protected;
    XRealIp = "x-real-ip", Protected;

    Traceparent = "traceparent", Protected;
    Tracestate = "tracestate", Protected;
    Baggage = "baggage", Protected;
    XRequestId = "x-request-id", Protected;
    IdempotencyKey = "idempotency-key", Protected;

    BreakwaterDeadlineMs = "breakwater-deadline-ms", Internal;
    BreakwaterAttempts = "breakwater-attempts", Internal;
    BreakwaterVia = "breakwater-via", Internal;
    BreakwaterRetry = "breakwater-retry", Internal;
    BreakwaterCriticality = "breakwater-criticality", Internal;
    BreakwaterAdmitRate = "breakwater-admit-rate", Internal;
    BreakwaterFallback = "breakwater-fallback", Internal;

    ProxyStatus = "proxy-status", Protected;
    RetryAfter = "retry-after", Protected;
    RateLimit = "ratelimit", Protected;
    RateLimitPolicy = "ratelimit-policy", Protected;
    Date = "date", Protected;
    Server = "server", Protected;
    Location = "location", Protected;
    UserAgent = "user-agent", Protected;

    Accept = "accept", Protected;
    CacheControl = "cache-control", Protected;
    ContentEncoding = "content-encoding", Protected;
    ContentRange = "content-range", Protected;
    ContentType = "content-type", Protected;
    Range = "range", Protected;

    GrpcTimeout = "grpc-timeout", Protected;
    GrpcPreviousRpcAttempts = "grpc-previous-rpc-attempts", Protected;
    GrpcStatus = "grpc-status", Trailer;
    GrpcMessage = "grpc-message", Trailer;
    GrpcStatusDetailsBin = "grpc-status-details-bin", Trailer;
    GrpcRetryPushbackMs = "grpc-retry-pushback-ms", Trailer;
}

/// Families of names that are protected whole.
const PROTECTED_PREFIXES: [&[u8]; 4] = [b"breakwater-", b"grpc-", b"x-forwarded-", b"x-envoy-"];
const SLOTS: usize = 256;

/// Open addressing by length and outer letters, built at compile time.
static TABLE: [Option<Known>; SLOTS] = build_table();

const fn build_table() -> [Option<Known>; SLOTS] {
    let mut table = [None; SLOTS];
    let mut number = 0;
    while number < Known::ALL.len() {
        let known = Known::ALL[number];
        let mut slot = slot(known.as_str().as_bytes());
        while table[slot].is_some() {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = Some(known);
        number += 1;
    }
    table
}

/// Where the search for `name`, which is not empty, begins; the same for either case.
const fn slot(name: &[u8]) -> usize {
    let first = (name[0] | 0x20) as usize;
    let middle = (name[name.len() / 2] | 0x20) as usize;
    let last = (name[name.len() - 1] | 0x20) as usize;
    (name.len() * 7 + first * 31 + middle * 11 + last * 5) % SLOTS
}

impl Known {
    /// How many names there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The name in lower case.
    pub const fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The known name that equals `name` in any case.
    pub fn find(name: &[u8]) -> Option<Self> {
        if name.is_empty() {
            return None;
        }
        let mut slot = slot(name);
        while let Some(known) = TABLE[slot] {
            if chars::equals(name, known.as_str().as_bytes()) {
                return Some(known);
            }
            slot = (slot + 1) % SLOTS;
        }
        None
    }
}

/// Whether `name` is one of the sidecar's own (`breakwater-*`).
pub(crate) fn is_internal(name: &[u8]) -> bool {
    starts_with(name, b"breakwater-")
}

/// Whether naming `name` in `Connection` strips it: unknown names outside the protected families.
pub(crate) fn may_be_nominated(name: &[u8]) -> bool {
    Known::find(name).is_none() && !has_protected_prefix(name)
}

/// Whether `name` may be passed on as a trailer; `declared` if the head's `Trailer` names it.
pub(crate) fn may_be_trailer(name: &[u8], declared: bool) -> bool {
    match Known::find(name) {
        Some(known) => known.class() == Class::Trailer,
        None => starts_with(name, b"grpc-") || (declared && !has_protected_prefix(name)),
    }
}

fn has_protected_prefix(name: &[u8]) -> bool {
    PROTECTED_PREFIXES
        .iter()
        .any(|prefix| starts_with(name, prefix))
}

fn starts_with(name: &[u8], prefix: &[u8]) -> bool {
    name.len() >= prefix.len() && name[..prefix.len()].eq_ignore_ascii_case(prefix)
}

/// Whether `value`, a comma-separated list, has `token` in any case.
pub(crate) fn lists(value: &[u8], token: &[u8]) -> bool {
    chars::list(value).any(|element| element.eq_ignore_ascii_case(token))
}
