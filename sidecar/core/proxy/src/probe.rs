//! One question to one endpoint: whether it answers as expected. Whoever asks bounds the time.

use std::io;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::{Request, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::Probe;

/// The length of `HTTP/1.1 200`.
const STATUS_LINE: usize = 12;
/// The answer SERVING as a gRPC message: uncompressed, two bytes, field 1 is 1.
const SERVING: [u8; 7] = [0, 0, 0, 0, 2, 8, 1];
/// The most that is read of an answer.
const MOST_BYTES: usize = 1024;

/// Whether the endpoint answers as expected.
pub(crate) async fn passes(probe: &Probe, address: SocketAddr, host: &str) -> bool {
    let Ok(stream) = TcpStream::connect(address).await else {
        return false;
    };
    match probe {
        Probe::Tcp => true,
        Probe::Http { path, expect } => match status(stream, path, host).await {
            Ok(status) => expect.iter().any(|word| is_expected(word, status)),
            Err(_) => false,
        },
        Probe::Grpc { service } => is_serving(stream, service, host).await.unwrap_or(false),
    }
}

/// The three digits of the answer's status.
async fn status(mut stream: TcpStream, path: &str, host: &str) -> io::Result<[u8; 3]> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: breakwater-health\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; STATUS_LINE];
    stream.read_exact(&mut line).await?;
    match line {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            _,
            b' ',
            digits @ ..,
        ] => Ok(digits),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Whether a status is meant by a word such as 200 or 2xx.
fn is_expected(word: &str, status: [u8; 3]) -> bool {
    word.bytes()
        .zip(status)
        .all(|(wanted, found)| wanted == b'x' || wanted == found)
}

/// Whether a server says that it serves; `None` when it says nothing.
async fn is_serving(stream: TcpStream, service: &str, host: &str) -> Option<bool> {
    let (client, connection) = h2::client::handshake(stream).await.ok()?;
    let answer = async {
        let request = Request::post(format!("http://{host}/grpc.health.v1.Health/Check"))
            .version(Version::HTTP_2)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .ok()?;
        let (response, mut body) = client
            .ready()
            .await
            .ok()?
            .send_request(request, false)
            .ok()?;
        body.send_data(question(service)?, true).ok()?;
        let mut answer = response.await.ok()?.into_body();
        let mut message = BytesMut::new();
        while let Some(part) = answer.data().await {
            let part = part.ok()?;
            message.extend_from_slice(&part);
            if message.len() > MOST_BYTES {
                return None;
            }
            answer.flow_control().release_capacity(part.len()).ok()?;
        }
        Some(message[..] == SERVING)
    };
    tokio::select! {
        answer = answer => answer,
        _ = connection => None,
    }
}

/// A HealthCheckRequest as a gRPC message; its service's name takes one byte to say how long it is.
fn question(service: &str) -> Option<Bytes> {
    let length = u8::try_from(service.len())
        .ok()
        .filter(|length| *length < 0x80)?;
    let field = if length > 0 { 2 + length } else { 0 };
    let mut message = vec![0, 0, 0, 0, field];
    if length > 0 {
        message.extend([0x0A, length]);
        message.extend(service.bytes());
    }
    Some(message.into())
}

#[cfg(test)]
mod tests;
