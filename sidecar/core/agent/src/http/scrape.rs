//! What the application measures, for the page that shows it beside ours. It may say anything: what is read is bounded,
//! and a line that would spoil the page, or pass for one of ours, is left out.

mod line;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

/// Most that is read of an answer.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Time for the application to answer.
const ANSWER: Duration = Duration::from_secs(3);
/// Time for others, who ask at the same moment, to be done.
const TURN: Duration = Duration::from_secs(1);

/// Where the application shows what it measures. One page at a time holds what it says.
#[derive(Clone, Debug)]
pub(super) struct Scrape {
    port: u16,
    path: Arc<str>,
    turn: Arc<Mutex<()>>,
}

/// What the application says, as far as it may be shown.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// Whole lines.
    pub(super) lines: Vec<u8>,
    /// How many are left out.
    pub(super) dropped: usize,
    /// Whether it answered.
    pub(super) is_up: bool,
    /// Held until the page has been sent.
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Scrape {
    pub(super) fn new((port, path): (u16, String)) -> Self {
        Self {
            port,
            path: path.into(),
            turn: Arc::default(),
        }
    }

    /// What the application at `host` says now.
    pub(super) async fn ask(&self, host: IpAddr) -> Measured {
        let turn = timeout(TURN, Arc::clone(&self.turn).lock_owned()).await;
        let Ok(turn) = turn else {
            return Measured::default();
        };
        let address = SocketAddr::new(host, self.port);
        let Ok(Ok(answer)) = timeout(ANSWER, fetch(address, &self.path)).await else {
            return Measured::default();
        };
        let (lines, dropped) = admitted(&answer);
        Measured {
            lines,
            dropped,
            is_up: true,
            _turn: Some(turn),
        }
    }
}

/// The body of a good answer. In HTTP/1.0 it ends with the connection, and comes in one piece.
async fn fetch(address: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: text/plain;version=0.0.4\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream
        .take(MOST_BYTES as u64)
        .read_to_end(&mut answer)
        .await?;
    body(answer).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The body of an answer with status 200 that is not cut off.
fn body(mut answer: Vec<u8>) -> Option<Vec<u8>> {
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.lines().next()?.split(' ').nth(1)?;
    (head.starts_with("HTTP/1.") && status == "200" && answer.len() < MOST_BYTES)
        .then(|| answer.split_off(end))
}

/// The lines that may be shown, and how many may not.
fn admitted(text: &[u8]) -> (Vec<u8>, usize) {
    let (mut lines, mut dropped) = (Vec::with_capacity(text.len()), 0);
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        match std::str::from_utf8(line) {
            Ok(line) if line::may_be_shown(line) => {
                lines.extend_from_slice(line.as_bytes());
                lines.push(b'\n');
            }
            _ => dropped += 1,
        }
    }
    (lines, dropped)
}

#[cfg(test)]
mod tests;
