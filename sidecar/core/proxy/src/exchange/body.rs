//! The bodies of a request and of its answer: what is kept, copied and counted of the one, what bounds the other.

use super::Exchange;
use crate::stages::mirror::{self, Duplicate, Fate, Kept};
use crate::stages::timeout::{self, BodyBounds};

impl Exchange {
    /// Largest request body that is kept to be sent again; zero when nothing will be.
    pub(crate) fn replay_bytes(&self) -> u64 {
        let Some(config) = self.config() else {
            return 0;
        };
        let retry = config.retry.as_ref().map(|block| &block.params.params);
        let retried = retry.filter(|params| params.attempts > 0);
        let retried = retried.map_or(0, |params| params.replay_bytes);
        let copied = self.mirrors.as_ref().map_or(0, |_| mirror::BODY_BYTES);
        retried.max(self.kept_to_fall_back()).max(copied)
    }

    /// Whether copies of the request are to be made.
    pub(crate) const fn has_mirrors(&self) -> bool {
        self.mirrors.is_some()
    }

    /// Makes the copies that are due as soon as `kept` is all of the body, by what `copy` makes of it.
    pub(crate) fn mirror<B, C: Duplicate>(
        &mut self,
        kept: Kept<B>,
        copy: impl FnOnce(&Self, B) -> Option<C>,
    ) {
        let Some(due) = self.mirrors.take() else {
            return;
        };
        match kept {
            Kept::Coming => self.mirrors = Some(due),
            Kept::TooLong => due.give_up(Fate::TooLarge),
            Kept::Whole(body) => {
                if let Some(copy) = copy(self, body) {
                    due.send(&self.worker, &copy);
                }
            }
        }
    }

    /// Notes how long the request's body is, as far as known before it is read.
    pub(crate) fn note_body_length(&mut self, body_bytes: u64) {
        self.tries.note_body(body_bytes);
    }

    /// Notes how many bytes of the request's body came by now.
    pub(crate) fn note_body(&mut self, body_bytes: u64) {
        self.record.bytes_in = self.record.bytes_in.max(body_bytes);
        self.tries.note_body(body_bytes);
    }

    /// What bounds the answer's body.
    pub(crate) fn body_bounds(&self) -> BodyBounds {
        let Some(route) = &self.route else {
            return BodyBounds::default();
        };
        let timeouts = &route.cluster.timeouts;
        timeout::body_bounds(timeouts, self.deadline, self.is_stream, self.now_ns)
    }
}
