//! One step through a body.

use std::ops::Range;

/// What the decoder found at the beginning of its input.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// These bytes of the input are body; go on with what follows them.
    Data(Range<usize>),
    /// All of the input is used up and the body goes on.
    NeedMore,
    /// The body ended after so many bytes of the input. What follows is the next message's.
    Done(usize),
}
