//! A client that sends what it is told and reads answers to the letter.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::soon;

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether it ended as its framing says.
    pub(crate) is_whole: bool,
}

impl Answer {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// What the sidecar says of its refusal, as in `queue.full policy=shop/cart`.
    pub(crate) fn details(&self) -> &str {
        let status = self.field("proxy-status").unwrap();
        let (_, details) = status.split_once("details=\"").unwrap();
        details.split('"').next().unwrap()
    }

    /// The reason that it gives.
    pub(crate) fn reason(&self) -> &str {
        self.details().split(' ').next().unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            buffer: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).await.unwrap();
    }

    /// Asks `cart` for a path.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: cart\r\n\r\n"))
            .await
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, request: &str) -> Answer {
        self.send(request).await;
        self.answer().await
    }

    /// The next answer, interim or not.
    pub(crate) async fn answer(&mut self) -> Answer {
        soon(self.read_answer(false)).await
    }

    /// The next answer to a HEAD.
    pub(crate) async fn head_answer(&mut self) -> Answer {
        soon(self.read_answer(true)).await
    }

    async fn read_answer(&mut self, is_head: bool) -> Answer {
        while find(&self.buffer, b"\r\n\r\n").is_none() {
            assert!(self.fill().await, "closed before a head: {:?}", self.text());
        }
        let end = find(&self.buffer, b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let status = head[9..12].parse().unwrap();
        let mut answer = Answer {
            status,
            head,
            body: Vec::new(),
            is_whole: true,
        };
        if !is_head && status >= 200 && status != 204 && status != 304 {
            self.read_body(&mut answer).await;
        }
        answer
    }

    async fn read_body(&mut self, answer: &mut Answer) {
        if answer.field("transfer-encoding") == Some("chunked") {
            return self.read_chunks(answer).await;
        }
        match answer
            .field("content-length")
            .map(|length| length.parse::<usize>().unwrap())
        {
            Some(length) => {
                while self.buffer.len() < length && answer.is_whole {
                    answer.is_whole = self.fill().await;
                }
                answer.body = self.buffer.drain(..length.min(self.buffer.len())).collect();
            }
            None => {
                while self.fill().await {}
                answer.body = std::mem::take(&mut self.buffer);
            }
        }
    }

    async fn read_chunks(&mut self, answer: &mut Answer) {
        loop {
            let Some(line) = self.line().await else { break };
            let size = usize::from_str_radix(&line, 16).unwrap();
            while self.buffer.len() < size + 2 {
                if !self.fill().await {
                    answer.is_whole = false;
                    return;
                }
            }
            answer.body.extend(self.buffer.drain(..size));
            self.buffer.drain(..2);
            if size == 0 {
                return;
            }
        }
        answer.is_whole = false;
    }

    async fn line(&mut self) -> Option<String> {
        while find(&self.buffer, b"\r\n").is_none() {
            if !self.fill().await {
                return None;
            }
        }
        let end = find(&self.buffer, b"\r\n").unwrap();
        let line = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        self.buffer.drain(..2);
        Some(line)
    }

    /// Reads `length` bytes of whatever is spoken.
    pub(crate) async fn bytes(&mut self, length: usize) -> Vec<u8> {
        soon(async {
            while self.buffer.len() < length {
                assert!(self.fill().await, "closed early");
            }
            self.buffer.drain(..length).collect()
        })
        .await
    }

    /// Waits for the end of the connection; what came before it.
    pub(crate) async fn end(&mut self) -> Vec<u8> {
        soon(async { while self.fill().await {} }).await;
        std::mem::take(&mut self.buffer)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// Reads more; false at the end.
    async fn fill(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..))
    }
}

pub(crate) fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
