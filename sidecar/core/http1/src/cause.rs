//! Why a message was refused: one closed list, for counters, logs and statuses.

/// Declares the causes: variant, metric label, status when a request has it.
macro_rules! causes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $label:literal, $status:literal;)+) => {
        /// Why a message was refused.
        ///
        /// Whoever meets one closes the connection and passes nothing on. In a request it is answered
        /// with [`Cause::status`]; in a response it ends as a 502 of the proxy's own.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
        #[error("{}", self.as_str())]
        #[repr(u8)]
        pub enum Cause {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Cause {
            /// Every cause, in the order of its number (`cause as usize`): one counter each.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name used as a metric label and in logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            /// The status that answers a request with this fault.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }
        }
    };
}

causes! {
    /// A line ended in LF without CR.
    BareLf = "bare_lf", 400;
    /// A CR that no LF follows.
    BareCr = "bare_cr", 400;
    /// A NUL byte.
    Nul = "nul", 400;
    /// Another control byte.
    ControlByte = "control_byte", 400;
    /// The head is longer than `Limits::head_bytes`.
    HeadTooLarge = "head_too_large", 431;
    /// More fields than `Limits::fields`.
    TooManyFields = "too_many_fields", 431;
    /// A line that begins with a space or tab: folding, or smuggling.
    LeadingSpace = "leading_space", 400;
    /// A field line without a colon.
    ColonMissing = "colon_missing", 400;
    /// A space or tab between a field's name and its colon.
    SpaceBeforeColon = "space_before_colon", 400;
    /// A field without a name.
    NameEmpty = "name_empty", 400;
    /// A byte that no field name may hold.
    NameInvalid = "name_invalid", 400;
    /// A request line that is not three words with single spaces between.
    RequestLine = "request_line", 400;
    /// A method that is not a token.
    MethodInvalid = "method_invalid", 400;
    /// A version that is not written as `HTTP/d.d`.
    VersionInvalid = "version_invalid", 400;
    /// A version other than 1.0 and 1.1.
    VersionUnsupported = "version_unsupported", 505;
    /// A target longer than `Limits::target_bytes`.
    TargetTooLong = "target_too_long", 414;
    /// A target in none of the four forms, or in one its method does not take.
    TargetForm = "target_form", 400;
    /// A tab or a high byte in the target.
    TargetByte = "target_byte", 400;
    /// A fragment in the target.
    TargetFragment = "target_fragment", 400;
    /// No Host field.
    HostMissing = "host_missing", 400;
    /// More than one Host field.
    HostRepeated = "host_repeated", 400;
    /// A Host, or an authority, that is not `name` or `name:port`.
    HostInvalid = "host_invalid", 400;
    /// A target whose authority is not the one of the Host field.
    HostMismatch = "host_mismatch", 400;
    /// Both Content-Length and Transfer-Encoding.
    LengthAndEncoding = "length_and_encoding", 400;
    /// A Content-Length that is not a plain decimal number below 2^63.
    LengthInvalid = "length_invalid", 400;
    /// More than one Content-Length, even if they agree.
    LengthRepeated = "length_repeated", 400;
    /// A Transfer-Encoding that is a list, empty or disguised.
    EncodingInvalid = "encoding_invalid", 400;
    /// A transfer coding other than `chunked`.
    EncodingUnknown = "encoding_unknown", 501;
    /// More than one Transfer-Encoding.
    EncodingRepeated = "encoding_repeated", 400;
    /// A Transfer-Encoding in a message of HTTP/1.0.
    EncodingInHttp10 = "encoding_in_http10", 400;
    /// A CONNECT with a body.
    ConnectBody = "connect_body", 400;
    /// More connection options than `MAX_OPTIONS`.
    TooManyOptions = "too_many_options", 400;
    /// An expectation other than exactly `100-continue`.
    Expectation = "expectation", 417;
    /// A chunk size that is empty, signed, prefixed or otherwise not plain hexadecimal.
    ChunkSize = "chunk_size", 400;
    /// A chunk size of 2^60 or more, or of more than 16 digits.
    ChunkOverflow = "chunk_overflow", 400;
    /// Chunk extensions longer than `Limits::extension_bytes` in one message.
    ChunkExtension = "chunk_extension", 400;
    /// Bytes after chunk data where its CRLF belongs.
    ChunkData = "chunk_data", 400;
    /// Trailers longer than `Limits::trailer_bytes`.
    TrailersTooLarge = "trailers_too_large", 431;
    /// The peer closed before the message was whole.
    Truncated = "truncated", 400;
    /// A status line that cannot be read.
    StatusLine = "status_line", 400;
    /// A status outside 100 to 599.
    StatusInvalid = "status_invalid", 400;
    /// More interim responses than `Limits::interim_responses`.
    InterimFlood = "interim_flood", 400;
    /// A 101 that nobody asked for, or that names no protocol.
    UpgradeUnasked = "upgrade_unasked", 400;
    /// Bytes after the end of a response that no request is waiting for.
    Surplus = "surplus", 400;
}
