//! How much of anything a peer may send.

/// What a message may cost. Every bound counts bytes of the wire.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A head with its start line; 431 past it.
    pub head_bytes: usize,
    /// Fields of a head; 431 past it. At most [`Limits::MOST_FIELDS`] whatever is set.
    pub fields: usize,
    /// A request's target; 414 past it.
    pub target_bytes: usize,
    /// Chunk extensions of one message, all chunks together.
    pub extension_bytes: usize,
    /// Trailers of one message.
    pub trailer_bytes: usize,
    /// Interim responses before the final one.
    pub interim_responses: u8,
}

impl Limits {
    /// Fields are numbered by the bits of a `u128`.
    pub const MOST_FIELDS: usize = 128;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            fields: 100,
            target_bytes: 16 * 1024,
            extension_bytes: 16 * 1024,
            trailer_bytes: 16 * 1024,
            interim_responses: 8,
        }
    }
}
