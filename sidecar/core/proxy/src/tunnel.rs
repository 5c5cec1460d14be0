//! Bytes of another protocol, both ways, until both sides have ended.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http1::Known;
use tokio::io::AsyncWrite;

use crate::request::Response;
use crate::stages::rate_limit::throttle::{self, Throttle};
use crate::wire::{Memory, Wire};

/// One way through a tunnel.
#[derive(Debug, Default)]
pub(crate) struct Way {
    /// Bytes passed on.
    pub(crate) bytes: u64,
    has_ended: bool,
    is_over: bool,
    /// What holds it up.
    throttle: Option<Box<Throttle>>,
}

/// Both ways through a tunnel.
#[derive(Debug, Default)]
pub(crate) struct Tunnel {
    pub(crate) up: Way,
    pub(crate) down: Way,
}

impl Tunnel {
    /// A tunnel that `up` and `down` hold up, each one way.
    pub(crate) fn new(up: Option<Box<Throttle>>, down: Option<Box<Throttle>>) -> Self {
        let way = |throttle| Way {
            throttle,
            ..Way::default()
        };
        Self {
            up: way(up),
            down: way(down),
        }
    }

    /// Passes bytes both ways; ready when both have ended, or one has broken. Tells whether anything moved.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Wire,
        peer: &mut Wire,
        memory: &Memory,
    ) -> (Poll<io::Result<()>>, bool) {
        let before = self.up.bytes + self.down.bytes;
        let up = self.up.poll(cx, client, peer, memory);
        let down = self.down.poll(cx, peer, client, memory);
        let has_moved = self.up.bytes + self.down.bytes > before;
        let over = match (up, down) {
            (Poll::Ready(Err(error)), _) | (_, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        };
        (over, has_moved)
    }
}

impl Way {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Wire,
        to: &mut Wire,
        memory: &Memory,
    ) -> Poll<io::Result<()>> {
        while !self.is_over {
            ready!(to.poll_flush(cx))?;
            if self.has_ended {
                ready!(Pin::new(&mut to.stream).poll_shutdown(cx))?;
                self.is_over = true;
                break;
            }
            let most = ready!(throttle::poll(&mut self.throttle, cx));
            let passed = ready!(from.poll_some(cx, memory, most, |bytes| {
                (bytes.len(), to.write(bytes).map(|()| bytes.len()))
            }))??;
            throttle::spend(&mut self.throttle, passed as u64);
            self.has_ended = passed == 0;
            self.bytes += passed as u64;
        }
        Poll::Ready(Ok(()))
    }
}

/// A tunnel's other side is there, which is all the answer there is.
pub(crate) struct Established;

impl Response for Established {
    fn status(&self) -> u16 {
        200
    }

    fn known(&self, _: Known) -> Option<&[u8]> {
        None
    }

    fn find(&self, _: &str) -> Option<&[u8]> {
        None
    }
}
