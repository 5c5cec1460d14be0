//! Whether the other side of a connection has left, told without reading: what it sent stays where it is.
//!
//! A connection is watched so while nothing more of it is wanted. Who left is told by the end that the system has seen,
//! however much lies before that.

use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::net::TcpStream;

/// A watch over a connection, through a descriptor of its own: of the first one the runtime knows for ever that there is
/// something to read, and would tell nothing that comes after it.
#[derive(Debug)]
pub(crate) struct Hangup(TcpStream);

impl Hangup {
    pub(crate) fn of(stream: &TcpStream) -> io::Result<Self> {
        let twin = stream.as_fd().try_clone_to_owned()?;
        TcpStream::from_std(twin.into()).map(Self)
    }

    /// Ready when the other side sends nothing more.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        while ready!(self.0.poll_read_ready(cx)).is_ok() {
            let seen = pin!(self.0.ready(Interest::READABLE));
            match ready!(seen.poll(cx)) {
                Ok(seen) if !seen.is_read_closed() => self.forget_input(),
                _ => break,
            }
        }
        Poll::Ready(())
    }

    /// Has the runtime tell what comes after what is there.
    fn forget_input(&self) {
        let nothing = || -> io::Result<()> { Err(io::ErrorKind::WouldBlock.into()) };
        // That fails as it is told to.
        let _ = self.0.try_io(Interest::READABLE, nothing);
    }
}
