//! What a request looks like.

/// What a request looks like; all members that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestMatch {
    /// Methods, any of; empty: any.
    pub methods: Vec<Box<str>>,
    /// Canonical path.
    pub path: Option<PathMatch>,
    /// Headers, all of.
    pub headers: Vec<HeaderMatch>,
}

/// A path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// The whole path.
    Exact(Box<str>),
    /// Leading whole segments.
    Prefix(Box<str>),
}

/// A header; of several values each is judged by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderMatch {
    /// The header has this exact value.
    Value {
        /// Name, in lower case.
        name: Box<str>,
        /// The value.
        value: Box<str>,
    },
    /// The header is there, or is not.
    Presence {
        /// Name, in lower case.
        name: Box<str>,
        /// Whether it must be there.
        present: bool,
    },
}
