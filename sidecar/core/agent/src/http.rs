//! The pages for machines that look after the sidecar: `/metrics`, `/ready` and `/live`, and `/probe/PORT` for those
//! that ask whether somebody takes connections at a port of the application.

mod over_tls;
mod scrape;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::metrics;
use crate::operator::Operator;
use crate::status::State;
use scrape::{Measured, Scrape};

/// Connections served at once: the oldest makes room, so that nobody who says nothing keeps others out.
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
    /// Ports and paths at which they ask it over TLS, for whoever asks them.
    pub(crate) over_tls: Vec<(u16, String)>,
    /// Where it shows what it measures: its port and path.
    pub(crate) metrics: Option<(u16, String)>,
}

/// What answers are made of.
#[derive(Debug)]
struct Pages {
    operator: Operator,
    probed: Vec<u16>,
    over_tls: Vec<(u16, String)>,
    scrape: Option<Scrape>,
}

/// The connections that are served, the oldest first.
#[derive(Debug, Default)]
struct Served(Mutex<VecDeque<AbortHandle>>);

impl Served {
    fn enter(&self, connection: AbortHandle) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| !one.is_finished());
        if all.len() >= CONNECTIONS
            && let Some(oldest) = all.pop_front()
        {
            oldest.abort();
        }
        all.push_back(connection);
    }
}

/// Answers until the process ends.
pub(crate) async fn serve(
    listeners: Vec<TcpListener>,
    operator: Operator,
    application: Application,
) {
    let served = Arc::new(Served::default());
    let pages = Arc::new(Pages {
        operator,
        probed: application.probed,
        over_tls: application.over_tls,
        scrape: application.metrics.map(Scrape::new),
    });
    let mut doors = JoinSet::new();
    for listener in listeners {
        doors.spawn(accept(listener, Arc::clone(&served), Arc::clone(&pages)));
    }
    doors.join_next().await;
}

async fn accept(listener: TcpListener, served: Arc<Served>, pages: Arc<Pages>) -> Infallible {
    loop {
        let Ok((connection, _)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        let pages = Arc::clone(&pages);
        let exchange = tokio::spawn(async move {
            let _ = timeout(EXCHANGE, exchange(connection, &pages)).await; // slow ones are cut
        });
        served.enter(exchange.abort_handle());
    }
}

async fn exchange(mut connection: TcpStream, pages: &Pages) -> std::io::Result<()> {
    let head = read_head(&mut connection).await?;
    let page = answer(&head, pages, connection.local_addr()?).await;
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
async fn answer(head: &[u8], pages: &Pages, here: SocketAddr) -> Page {
    let Some((target, fields)) = asked(head) else {
        return text("400 Bad Request", "expected GET\n");
    };
    if let Some((port, path)) = probed_over_tls(target, &pages.over_tls) {
        let there = SocketAddr::new(here.ip(), port);
        return over_tls::page(there, path, over_tls::passed_on(fields, here)).await;
    }
    let path = target.split('?').next().unwrap_or(target);
    if let Some(port) = probed_port(path, &pages.probed) {
        return probe_page(SocketAddr::new(here.ip(), port)).await;
    }
    match path {
        "/metrics" => metrics_page(pages, here.ip()).await,
        "/ready" => ready_page(&pages.operator.status.borrow()),
        "/live" => text("200 OK", "live\n"),
        _ => text("404 Not Found", "expected /metrics, /ready or /live\n"),
    }
}

/// What a whole `GET` asks for, with its query, and the lines of its fields.
fn asked(head: &[u8]) -> Option<(&str, &str)> {
    let head = std::str::from_utf8(head).ok()?;
    let (head, _) = head.split_once("\r\n\r\n")?;
    let (line, fields) = head.split_once("\r\n").unwrap_or((head, ""));
    let target = line
        .strip_prefix("GET ")?
        .strip_suffix(" HTTP/1.1")
        .or_else(|| old(line))?;
    Some((target, fields))
}

fn old(line: &str) -> Option<&str> {
    line.strip_prefix("GET ")?.strip_suffix(" HTTP/1.0")
}

/// The port of the application that a path asks about, if it is one of those that may be asked about.
fn probed_port(path: &str, probed: &[u16]) -> Option<u16> {
    let port = path.strip_prefix("/probe/")?.parse().ok()?;
    probed.contains(&port).then_some(port)
}

/// The port and the path of the application that are asked over TLS, if a target means one of those that may be.
fn probed_over_tls<'a>(target: &str, known: &'a [(u16, String)]) -> Option<(u16, &'a str)> {
    let (port, path) = target.strip_prefix("/probe/")?.split_once('/')?;
    let port: u16 = port.parse().ok()?;
    let is_meant =
        |(number, whole): &&(u16, String)| *number == port && whole.strip_prefix('/') == Some(path);
    known
        .iter()
        .find(is_meant)
        .map(|(port, path)| (*port, path.as_str()))
}

/// Whether the application takes connections at an address.
async fn probe_page(address: SocketAddr) -> Page {
    match TcpStream::connect(address).await {
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
