//! What the codec's tests share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test crate uses a part of this; a broken corpus must fail loudly"
)]

pub(crate) mod conversation;
pub(crate) mod corpus;
pub(crate) mod random;
