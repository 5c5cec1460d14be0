//! How a connection to a control plane is secured, and what proves there who this sidecar is.
//!
//! Both files are read whenever they are needed, so that new trust roots and new tokens hold without a restart.

use std::io;
use std::path::Path;
use std::sync::Arc;

use http::HeaderValue;
use http::uri::Authority;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto, version};
use tokio::fs;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why nothing can be secured or proven.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("--controlplane-ca {path}: {reason}")]
    Roots { path: String, reason: String },
    #[error("{0} is no name that a certificate can have")]
    Name(String),
    #[error("TLS: {0}")]
    Handshake(#[from] io::Error),
    #[error("--token-file {path}: {reason}")]
    Token { path: String, reason: String },
}

/// `stream` encrypted, with whoever one of the roots in the file `ca` vouches to be `authority`.
pub(crate) async fn encrypt(
    stream: TcpStream,
    authority: &Authority,
    ca: &Path,
) -> Result<TlsStream<TcpStream>, Error> {
    let host = authority.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| Error::Name(host.to_owned()))?;
    let connector = TlsConnector::from(Arc::new(config(roots(ca).await?)?));
    Ok(connector.connect(name, stream).await?)
}

/// What the file `token` says now, as a header's value that is never shown.
pub(crate) async fn bearer(token: &Path) -> Result<HeaderValue, Error> {
    let wrong = |reason: String| Error::Token {
        path: shown(token),
        reason,
    };
    let text = fs::read_to_string(token).await;
    let text = text.map_err(|error| wrong(error.to_string()))?;
    let value = HeaderValue::try_from(format!("Bearer {}", text.trim()));
    let mut value =
        value.map_err(|_| wrong("expected a token, found something else".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn roots(path: &Path) -> Result<RootCertStore, Error> {
    let wrong = |reason: String| Error::Roots {
        path: shown(path),
        reason,
    };
    let text = fs::read(path).await;
    let text = text.map_err(|error| wrong(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        let added = roots.add(certificate);
        added.map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("expected certificates in PEM, found none".to_owned()));
    }
    Ok(roots)
}

/// Nothing but TLS 1.3 and HTTP/2; no session is kept, since there is one connection at a time.
fn config(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let provider = Arc::new(crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
