//! What answers instead of a failure.

use policy::fallback::Cases;

use super::ServiceName;

/// A fallback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// The failures it stands in for.
    pub when: Cases,
    /// What answers.
    pub instead: Instead,
}

/// What answers in the place of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Always the same.
    Response {
        /// Its status.
        status: u16,
        /// Its fields, names in lower case.
        headers: Vec<(Box<str>, Box<str>)>,
        /// Its body.
        body: Box<str>,
    },
    /// Another service.
    Service(ServiceName),
}
