//! Why there is no front.

use std::io;

/// Why a front cannot be opened, or shows no certificate.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] Kind);

impl Error {
    /// Whether another certificate would help.
    #[must_use]
    pub const fn is_about_certificate(&self) -> bool {
        matches!(self.0, Kind::Pem(_) | Kind::Certificate(_))
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("cannot listen: {0}")]
    Listen(#[source] io::Error),
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
    #[error("the certificate or its key cannot be read: {0}")]
    Pem(#[source] rustls::pki_types::pem::Error),
    #[error("the certificate and its key cannot be used: {0}")]
    Certificate(#[source] rustls::Error),
}
