//! What an attempt counts for: the word between classification and the machines that learn from attempts.

/// How one attempt counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The upstream did its work.
    Success,
    /// The upstream failed.
    Failure,
    /// Says nothing about the upstream: a refusal, a client that left, a peer's refusal.
    Uncounted,
}
