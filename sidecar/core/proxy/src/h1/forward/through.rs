//! Other protocols: an upgrade that the upstream agreed to, and CONNECT to names of the mesh.

use std::task::Poll;

use http1::Framing;

use super::Forward;
use crate::exchange::{Course, Destination, End};
use crate::h1::client::{Client, Next};
use crate::h1::peer::Peer;
use crate::series::Unanswered;
use crate::tunnel::{Established, Tunnel};

impl Forward<'_> {
    /// A 101: from here on, both sides speak another protocol.
    pub(super) async fn switch_protocols(&mut self, mut peer: Box<Peer>, head_len: usize) -> Next {
        self.write_head(&mut peer, head_len, Framing::Tunnel, false);
        self.tunnel(peer).await
    }

    /// CONNECT: a connection to one of the service's endpoints, whatever is spoken over it.
    pub(super) async fn connect_through(&mut self, to: Destination) -> Next {
        match self.connect(&to, true).await {
            Ok(peer) => {
                self.exchange.answered(&Established);
                self.client
                    .wire
                    .output
                    .extend_from_slice(b"HTTP/1.1 200 OK\r\n\r\n");
                self.tunnel(peer).await
            }
            Err(Unanswered::NoPlace) => {
                let refusal = self.exchange.withdraw();
                self.refuse(refusal).await
            }
            Err(Unanswered::Expired) => {
                let course = self.exchange.expired();
                self.refuse_course(course).await
            }
            Err(Unanswered::Failed { ending, reason, .. }) => {
                let course = self.exchange.failed(ending, reason);
                self.refuse_course(course).await
            }
            Err(Unanswered::Gone(_)) => Next::Close,
        }
    }

    /// A tunnel is tried once: what would be tried again is refused as well.
    async fn refuse_course(&mut self, course: Course) -> Next {
        let refusal = match course {
            Course::Refuse(refusal) => refusal,
            _ => self.exchange.take_failure(),
        };
        self.refuse(refusal).await
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
