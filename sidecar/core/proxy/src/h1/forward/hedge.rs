//! An attempt that may get a second one beside it.

use std::rc::Rc;
use std::task::{Context, Poll};

use super::{Forward, answer};
use crate::exchange::Destination;
use crate::h1::connect::connect;
use crate::h1::peer::Peer;
use crate::race::{Connecting, Driver};
use crate::series::Unanswered;
use crate::upstream::InUse;

impl Driver for Forward<'_> {
    type Connected = (Box<Peer>, Option<InUse>);
    type Sent = Box<Peer>;
    type Head = usize;

    fn poll_alarm(&mut self, cx: &mut Context<'_>, at_ns: u64) -> Poll<()> {
        let clock = &self.client.worker.clock;
        self.client.alarm.poll(cx, clock, Some(at_ns))
    }

    fn connect(&mut self, to: &Destination, fresh: bool) -> Connecting<Self::Connected> {
        let worker = Rc::clone(&self.client.worker);
        let (to, now_ns) = (to.clone(), self.exchange.now_ns());
        let mut place = self.exchange.connection.take();
        Box::pin(async move {
            let peer = connect(&worker, &mut place, &to, fresh, now_ns).await?;
            Ok((peer, place))
        })
    }

    fn send(&mut self, (mut peer, place): Self::Connected) -> Result<Box<Peer>, Unanswered> {
        self.exchange.connection = place;
        self.exchange.note_connected();
        self.send_head(&mut peer);
        Ok(peer)
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Unanswered> {
        self.poll_over(cx)
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        peer: &mut Box<Peer>,
    ) -> Poll<Result<usize, Unanswered>> {
        self.poll_answer(cx, peer)
    }

    fn is_poor(&self, peer: &Box<Peer>, _: &usize) -> bool {
        self.exchange.is_poor(&answer(self.kit, peer))
    }

    fn pass_over(&mut self, peer: Box<Peer>, head_len: usize) {
        self.exchange.pass_over(&answer(self.kit, &peer));
        self.forget((peer, head_len));
    }
}
