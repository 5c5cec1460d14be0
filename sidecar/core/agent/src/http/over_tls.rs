//! Asks the application over TLS whether it lives, as the kubelet would, which trusts whatever certificate it shows.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, crypto, version};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Page, text};

/// Longest status line that is read, bytes.
const LINE_BYTES: u64 = 1_024;
/// Least status that means failure to the kubelet.
const FAILED: u16 = 400;
/// Fields that are ours to say, or would say where the message ends.
const NOT_PASSED_ON: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What the application at `there` answers, as the kubelet judges it.
pub(super) async fn page(there: SocketAddr, path: &str, fields: String) -> Page {
    match ask(there, path, &fields).await {
        Ok(status) if status < FAILED => text("200 OK", &answered(status)),
        Ok(status) => text("503 Service Unavailable", &answered(status)),
        Err(error) => text("503 Service Unavailable", &format!("{error}\n")),
    }
}

fn answered(status: u16) -> String {
    format!("the application answered {status}\n")
}

/// The fields of a request to `here` that the application is to see; a host that was chosen for it is one.
pub(super) fn passed_on(fields: &str, here: SocketAddr) -> String {
    let mut passed = String::new();
    for line in fields.split("\r\n").filter(|line| is_sound(line)) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let is_host = name.eq_ignore_ascii_case("host") && value.trim() != here.to_string();
        let is_ours = NOT_PASSED_ON
            .iter()
            .any(|ours| name.eq_ignore_ascii_case(ours));
        if is_host || !is_ours {
            passed.push_str(line);
            passed.push_str("\r\n");
        }
    }
    passed
}

/// Whether a line is one field to whoever reads it.
fn is_sound(line: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_value = |byte: u8| byte == b'\t' || (b' '..0x7f).contains(&byte);
    line.split_once(':').is_some_and(|(name, value)| {
        !name.is_empty() && name.bytes().all(is_name) && value.bytes().all(is_value)
    })
}

async fn ask(there: SocketAddr, path: &str, fields: &str) -> io::Result<u16> {
    let stream = TcpStream::connect(there).await?;
    let connector = TlsConnector::from(Arc::new(config()?));
    let name = ServerName::IpAddress(there.ip().into());
    let mut stream = connector.connect(name, stream).await?;
    let has_host = fields.lines().any(|line| {
        line.split(':')
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("host"))
    });
    let host = if has_host {
        String::new()
    } else {
        format!("Host: {there}\r\n")
    };
    let request = format!("GET {path} HTTP/1.1\r\n{host}{fields}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE_BYTES))
        .read_line(&mut line)
        .await?;
    status(&line).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no answer in HTTP/1"))
}

/// The status that a status line of HTTP/1 says.
fn status(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.")?;
    rest.split(' ').nth(1)?.trim_end().parse().ok()
}

/// Any certificate, and either version of TLS; nothing is kept, since each question has a connection of its own.
fn config() -> io::Result<ClientConfig> {
    let provider = Arc::new(crypto::ring::default_provider());
    let anybody = Anybody(
        provider
            .signature_verification_algorithms
            .supported_schemes(),
    );
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(anybody))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Takes every certificate: the application's own address says who it is.
#[derive(Debug)]
struct Anybody(Vec<SignatureScheme>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests;
