//! Other protocols: an upgrade that the upstream agreed to, and CONNECT to names of the mesh.

use std::task::Poll;

use http1::Framing;

use super::Forward;
use crate::exchange::{Course, Destination, End, Exchange};
use crate::h1::client::{Client, Next};
use crate::h1::peer::Peer;
use crate::series::{self, Gone, Unanswered};
use crate::tunnel::{Established, Tunnel};

/// The attempts of a CONNECT, which end with a connection: nothing is said over it by then.
struct Through<'a, 'b>(&'a mut Forward<'b>);

impl series::Driver for Through<'_, '_> {
    type Answer = Box<Peer>;

    fn exchange(&mut self) -> &mut Exchange {
        self.0.exchange
    }

    async fn ask(
        &mut self,
        to: &Destination,
        _: &mut Option<Self::Answer>,
    ) -> Result<Self::Answer, Unanswered> {
        self.0.connect(to, true).await
    }

    fn answered(&mut self, _: &Self::Answer) -> Course {
        self.0.exchange.answered(&Established)
    }

    async fn pause(&mut self, delay_ns: u64) -> Result<(), Gone> {
        series::Driver::pause(self.0, delay_ns).await
    }
}

impl Forward<'_> {
    /// A 101: from here on, both sides speak another protocol.
    pub(super) async fn switch_protocols(&mut self, mut peer: Box<Peer>, head_len: usize) -> Next {
        self.write_head(&mut peer, head_len, Framing::Tunnel, false);
        self.tunnel(peer).await
    }

    /// CONNECT: a connection to one of the service's endpoints, whatever is spoken over it.
    pub(super) async fn connect_through(&mut self, to: Destination) -> Next {
        match series::run(&mut Through(self), to).await {
            Ok(Ok(peer)) => {
                self.client
                    .wire
                    .output
                    .extend_from_slice(b"HTTP/1.1 200 OK\r\n\r\n");
                self.tunnel(peer).await
            }
            Ok(Err(refusal)) => self.refuse(refusal).await,
            Err(_) => Next::Close,
        }
    }

    async fn tunnel(&mut self, mut peer: Box<Peer>) -> Next {
        let bounds = self.exchange.body_bounds();
        let mut tunnel = Tunnel::new(self.upload.throttle.take(), self.exchange.download.take());
        let mut moved_ns = self.exchange.now_ns();
        let end = std::future::poll_fn(|cx| {
            let Client { wire, worker, .. } = &mut *self.client;
            let (over, has_moved) = tunnel.poll(cx, wire, &mut peer.wire, &worker.memory);
            if let Poll::Ready(over) = over {
                return Poll::Ready(
                    over.map_or(End::ClientLeft, |()| End::Complete { code: None }),
                );
            }
            if has_moved {
                moved_ns = worker.clock.now_ns();
            }
            self.poll_bounds(cx, bounds, moved_ns, bounds.idle_ns)
        })
        .await;
        self.exchange.note_body(tunnel.up.bytes);
        self.exchange.finish(end, tunnel.down.bytes);
        Next::Close
    }
}
