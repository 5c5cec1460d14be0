//! The pages for machines that look after the sidecar: `/metrics`, `/ready` and `/live`, and `/probe/PORT` for those
//! that ask whether somebody takes connections at a port of the application.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::metrics;
use crate::operator::Operator;

/// Connections served at once.
const CONNECTIONS: usize = 16;
/// Longest head of a request, bytes.
const HEAD_BYTES: usize = 4_096;
/// Time for a whole exchange.
const EXCHANGE: Duration = Duration::from_secs(5);
/// Rest after an accept that failed, as when descriptors have run out.
const REST: Duration = Duration::from_millis(100);

/// An answer: status line without the version, type and body.
struct Page {
    status: &'static str,
    content_type: &'static str,
    body: String,
}

/// Answers until the process ends.
pub(crate) async fn serve(listener: TcpListener, operator: Operator, probed: Vec<u16>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let probed: Arc<[u16]> = probed.into();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let Ok((connection, _)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        let (operator, probed) = (operator.clone(), Arc::clone(&probed));
        tokio::spawn(async move {
            let _ = timeout(EXCHANGE, exchange(connection, &operator, &probed)).await; // slow ones are cut
            drop(place);
        });
    }
}

async fn exchange(
    mut connection: TcpStream,
    operator: &Operator,
    probed: &[u16],
) -> std::io::Result<()> {
    let head = read_head(&mut connection).await?;
    let page = match target(&head).and_then(|path| probed_port(path, probed)) {
        Some(port) => probe_page(connection.local_addr()?.ip(), port).await,
        None => answer(&head, operator).await,
    };
    let Page {
        status,
        content_type,
        body,
    } = page;
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(body.as_bytes()).await?;
    connection.shutdown().await
}

/// What arrived until the head was whole, too long, or all there is.
async fn read_head(connection: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = [0; 512];
    while head.len() < HEAD_BYTES && !ends(&head) {
        match connection.read(&mut piece).await? {
            0 => break,
            length => head.extend_from_slice(&piece[..length]),
        }
    }
    Ok(head)
}

fn ends(head: &[u8]) -> bool {
    head.ends_with(b"\r\n\r\n")
}

async fn answer(head: &[u8], operator: &Operator) -> Page {
    match target(head) {
        Some("/metrics") => metrics_page(operator).await,
        Some("/ready") if operator.status.borrow().is_ready() => text("200 OK", "ready\n"),
        Some("/ready") => text("503 Service Unavailable", "not ready\n"),
        Some("/live") => text("200 OK", "live\n"),
        Some(_) => text("404 Not Found", "expected /metrics, /ready or /live\n"),
        None => text("400 Bad Request", "expected GET\n"),
    }
}

/// The path of a whole `GET`, without its query.
fn target(head: &[u8]) -> Option<&str> {
    let head = std::str::from_utf8(head)
        .ok()
        .filter(|head| ends(head.as_bytes()))?;
    let line = head.lines().next()?;
    let target = line
        .strip_prefix("GET ")?
        .strip_suffix(" HTTP/1.1")
        .or_else(|| old(line))?;
    target.split('?').next()
}

fn old(line: &str) -> Option<&str> {
    line.strip_prefix("GET ")?.strip_suffix(" HTTP/1.0")
}

/// The port of the application that a path asks about, if it is one of those that may be asked about.
fn probed_port(path: &str, probed: &[u16]) -> Option<u16> {
    let port = path.strip_prefix("/probe/")?.parse().ok()?;
    probed.contains(&port).then_some(port)
}

/// Whether the application takes connections at the address that was asked.
async fn probe_page(address: IpAddr, port: u16) -> Page {
    match TcpStream::connect(SocketAddr::new(address, port)).await {
        Ok(_) => text("200 OK", "connected\n"),
        Err(error) => text("503 Service Unavailable", &format!("{error}\n")),
    }
}

async fn metrics_page(operator: &Operator) -> Page {
    match operator.proxy.stats().await {
        Ok(stats) => Page {
            status: "200 OK",
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body: metrics::encode(&operator.metrics.join(stats.families)),
        },
        Err(error) => text("503 Service Unavailable", &format!("{error}\n")),
    }
}

fn text(status: &'static str, body: &str) -> Page {
    Page {
        status,
        content_type: "text/plain; charset=utf-8",
        body: body.to_owned(),
    }
}

#[cfg(test)]
mod tests;
