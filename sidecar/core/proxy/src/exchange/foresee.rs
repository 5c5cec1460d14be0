//! What policies in shadow would do: asked where the acting ones are, told, and never done.

use policy::ending::Ending;

use super::{Attempt, Exchange};
use crate::live::Cluster;
use crate::stages::Refusal;
use crate::stages::retry::{Asked, Standing};
use crate::stages::shadow::{Ended, Foreseen};

impl Exchange {
    /// Has a call that is admitted meet what stands in shadow, unless something before that would have refused it.
    pub(super) fn foresee(&mut self, cluster: &Cluster) {
        let (Some(shadow), Some(route)) = (&cluster.foreseen, &self.route) else {
            return;
        };
        if self.record.would_refuse.is_some() {
            return;
        }
        let (class, now_ns) = (self.class(), self.now_ns);
        let entered = Foreseen::enter(
            shadow,
            &self.worker,
            &route.endpoints,
            class,
            &self.tries,
            now_ns,
        );
        match entered {
            Ok(foreseen) => self.foreseen = Some(Box::new(foreseen)),
            Err(refusal) => self.note_foreseen(refusal),
        }
    }

    /// Begins an attempt in shadow. Refused there, the first ends what is foreseen of the call.
    pub(super) fn foresee_attempt(&mut self) {
        if let Some(foreseen) = &mut self.foreseen
            && let Err(refusal) = foreseen.begin(&self.worker, self.now_ns)
        {
            self.note_foreseen(refusal);
        }
    }

    /// Tells what is in shadow that the response headers are there.
    pub(super) fn foresee_headers(&self) {
        if let Some(foreseen) = &self.foreseen {
            foreseen.on_headers(&self.worker, self.now_ns);
        }
    }

    /// Asks what is in shadow whether an attempt would be made again.
    pub(super) fn foresee_retry(
        &mut self,
        ending: Ending,
        asked: Asked,
        standing: Standing,
        is_made: bool,
    ) {
        if let Some(foreseen) = &mut self.foreseen {
            let draw = self.worker.chance.draw();
            foreseen.decide(ending, asked, standing, draw, is_made);
        }
    }

    /// Tells what is in shadow what an attempt came to.
    pub(super) fn foresee_end(&mut self, attempt: &Attempt) {
        let Some(foreseen) = &mut self.foreseen else {
            return;
        };
        let since_ns = |at_ns: u64| at_ns.saturating_sub(attempt.began_ns);
        let ended = Ended {
            ending: attempt.ending,
            is_overload: attempt.is_overload,
            headers_ns: since_ns(attempt.headers_ns.unwrap_or(self.now_ns)),
            latency_ns: since_ns(self.now_ns),
        };
        foreseen.settle(&self.worker, ended, self.now_ns);
    }

    /// Ends what is foreseen, with the call.
    pub(super) fn end_foreseen(&mut self) {
        if let Some(foreseen) = self.foreseen.take()
            && let Some(refusal) = foreseen.leave(self.has_succeeded, self.is_stream, self.now_ns)
        {
            self.note_foreseen(refusal);
        }
    }

    fn note_foreseen(&mut self, refusal: Refusal) {
        self.foreseen = None;
        self.record.would_refuse = Some(Box::new(refusal));
    }
}
