//! The pages for machines that look after the sidecar: `/metrics`, `/ready` and `/live`, and `/probe/PORT` for those
//! that ask whether somebody takes connections at a port of the application.

mod scrape;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::metrics;
use crate::operator::Operator;
use crate::status::State;
use scrape::{Measured, Scrape};

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
    /// What follows of the application, lines of the same type.
    measured: Option<Measured>,
}

/// What the pages say of the application.
#[derive(Debug, Default)]
pub(crate) struct Application {
    /// Ports at which they say whether it takes connections.
    pub(crate) probed: Vec<u16>,
    /// Where it shows what it measures: its port and path.
    pub(crate) metrics: Option<(u16, String)>,
}

/// What answers are made of.
#[derive(Debug)]
struct Pages {
    operator: Operator,
    probed: Vec<u16>,
    scrape: Option<Scrape>,
}

/// Answers until the process ends.
pub(crate) async fn serve(
    listeners: Vec<TcpListener>,
    operator: Operator,
    application: Application,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let pages = Arc::new(Pages {
        operator,
        probed: application.probed,
        scrape: application.metrics.map(Scrape::new),
    });
    let mut doors = JoinSet::new();
    for listener in listeners {
        doors.spawn(accept(listener, Arc::clone(&places), Arc::clone(&pages)));
    }
    doors.join_next().await;
}

async fn accept(listener: TcpListener, places: Arc<Semaphore>, pages: Arc<Pages>) {
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let Ok((connection, _)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        let pages = Arc::clone(&pages);
        tokio::spawn(async move {
            let _ = timeout(EXCHANGE, exchange(connection, &pages)).await; // slow ones are cut
            drop(place);
        });
    }
}

async fn exchange(mut connection: TcpStream, pages: &Pages) -> std::io::Result<()> {
    let head = read_head(&mut connection).await?;
    let page = answer(&head, pages, connection.local_addr()?.ip()).await;
    let Page {
        status,
        content_type,
        body,
        measured,
    } = page;
    let further = measured
        .as_ref()
        .map_or(&[][..], |measured| &measured.lines);
    let length = body.len() + further.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(body.as_bytes()).await?;
    connection.write_all(further).await?;
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

/// What is answered at an address of ours, which is the application's too.
async fn answer(head: &[u8], pages: &Pages, host: IpAddr) -> Page {
    let target = target(head);
    if let Some(port) = target.and_then(|path| probed_port(path, &pages.probed)) {
        return probe_page(host, port).await;
    }
    match target {
        Some("/metrics") => metrics_page(pages, host).await,
        Some("/ready") => ready_page(&pages.operator.status.borrow()),
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

fn ready_page(state: &State) -> Page {
    match (state.is_ready(), state.is_unenforced) {
        (true, false) => text("200 OK", "ready\n"),
        (true, true) => text(
            "200 OK",
            "ready without a configuration, nothing is enforced\n",
        ),
        (false, _) => text("503 Service Unavailable", "not ready\n"),
    }
}

async fn metrics_page(pages: &Pages, host: IpAddr) -> Page {
    let operator = &pages.operator;
    let stats = match operator.proxy.stats().await {
        Ok(stats) => stats,
        Err(error) => return text("503 Service Unavailable", &format!("{error}\n")),
    };
    let mut families = operator.metrics.join(stats.families);
    let measured = match &pages.scrape {
        Some(scrape) => Some(scrape.ask(host).await),
        None => None,
    };
    if let Some(measured) = &measured {
        families.extend(metrics::of_scrape(measured.is_up, measured.dropped));
    }
    Page {
        status: "200 OK",
        content_type: "text/plain; version=0.0.4; charset=utf-8",
        body: metrics::encode(&families),
        measured,
    }
}

fn text(status: &'static str, body: &str) -> Page {
    Page {
        status,
        content_type: "text/plain; charset=utf-8",
        body: body.to_owned(),
        measured: None,
    }
}

#[cfg(test)]
mod tests;
