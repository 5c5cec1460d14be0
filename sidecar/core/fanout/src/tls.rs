//! The certificate that is shown, which may be another one for every connection.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use tokio_rustls::TlsAcceptor;

use crate::error::{Error, Kind};

/// What is shown to whoever connects next.
#[derive(Debug)]
pub(crate) struct Shown(Mutex<Arc<CertifiedKey>>);

impl Shown {
    pub(crate) fn new(key: Arc<CertifiedKey>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(key)))
    }

    pub(crate) fn replace(&self, key: Arc<CertifiedKey>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = key;
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(
            &self.0.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

/// A certificate with its chain and its key, out of PEM.
pub(crate) fn read(certificate: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, Error> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(Kind::Pem)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(Kind::Pem)?;
    let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
    Ok(Arc::new(certified.map_err(Kind::Certificate)?))
}

/// What encrypts; nothing but HTTP/2 is offered.
pub(crate) fn acceptor(shown: Arc<Shown>) -> Result<TlsAcceptor, Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .map_err(Kind::Certificate)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(shown);
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
